package daemon

import (
	"slices"
	"sync"

	"callrelay/config"
	"callrelay/relay/source/freeswitch"
)

// DocumentPath is where mod_json_cdr posts its records, and relay send.
const DocumentPath = "/freeswitch/cdr"

// documents takes the records of mod_json_cdr. Their ids are those of the
// source that collects from the same FreeSWITCH, so that what both say is
// delivered once.
func (p builder) documents() *freeswitch.Intake {
	var logged sync.Once
	var err error
	if p.ledger, err = freeswitch.OpenLedger(store{p.queue}); err != nil {
		p.log.Error("what was taken from FreeSWITCH before is not known", "err", err)
	}
	n := &freeswitch.Intake{Emit: p.acceptAll, Ledger: p.ledger, Log: p.log}
	n.Converter.Source = func(host string) (name, recordings string) {
		return sourceOf(p.table().Config, p.ledger.SourceOf(host))
	}
	n.Converter.Outside = func(file string) {
		logged.Do(func() {
			p.log.Warn("recordings of FreeSWITCH are left out: not below recordings.dir", "file", file)
		})
	}
	if r := p.first.Config.Recordings; r != nil {
		n.Converter.Recordings = r.Dir
	}
	return n
}

// sourceOf is the source that the records of a FreeSWITCH belong to: the only
// one there is, or the one that has met it. Empty: not known.
func sourceOf(c *config.Config, met string) (name, recordings string) {
	all := slices.DeleteFunc(slices.Clone(c.Sources), func(s config.Source) bool { return s.Type != config.SourceFreeSWITCH })
	for _, s := range all {
		if len(all) == 1 || s.Name == met {
			return s.Name, s.RecordingsFrom
		}
	}
	return "", ""
}
