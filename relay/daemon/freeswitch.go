package daemon

import (
	"sync"

	"callrelay/config"
	"callrelay/relay/source/freeswitch"
)

// DocumentPath is where mod_json_cdr posts its records, and relay send.
const DocumentPath = "/freeswitch/cdr"

// documents takes the records of mod_json_cdr. Their ids are those of the
// source that collects from the same FreeSWITCH, so that what both say is
// delivered once.
func (p *Daemon) documents() *freeswitch.Intake {
	var told sync.Once
	ledger, err := freeswitch.OpenLedger(store{p.queue})
	if err != nil {
		p.log.Error("what was taken from FreeSWITCH before is not known", "err", err)
	}
	n := &freeswitch.Intake{Accept: p.emit, Ledger: ledger, Log: p.log}
	n.Converter.Source = p.sourceOf
	n.Converter.Outside = func(file string) {
		told.Do(func() {
			p.log.Warn("recordings of FreeSWITCH are left out: not below recordings.dir", "file", file)
		})
	}
	if r := p.first.Config.Recordings; r != nil {
		n.Converter.Recordings = r.Dir
	}
	return n
}

// sourceOf is the source that a FreeSWITCH's records belong to, and the name
// that FreeSWITCH has for the folder of recordings.
func (p *Daemon) sourceOf(switchname string) (name, recordings string) {
	var found []config.Source
	for _, s := range p.table().Config.Sources {
		if s.Type == "freeswitch" {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return "", ""
	}
	return found[0].Name, found[0].RecordingsFrom
}
