package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/web"
)

// dataSubject knows what stands for somebody in what the relay keeps: calls, ids of
// events and numbers.
type dataSubject struct {
	number string // digits; empty: only calls count
	calls  map[string]bool
	ids    map[string]bool
	files  map[string]bool // recordings that events name
	texts  map[string]bool // the number as events write it
}

func newDataSubject(p web.Person) (*dataSubject, error) {
	who := &dataSubject{number: digits(p.Number), calls: map[string]bool{}, ids: map[string]bool{}, files: map[string]bool{}, texts: map[string]bool{}}
	switch {
	case (p.Call == "") == (p.Number == ""):
		return nil, errors.New("either a call or a number is erased")
	case p.Number != "" && who.number == "":
		return nil, errors.New("a number has digits")
	case p.Call != "":
		who.calls[p.Call] = true
	}
	return who, nil
}

// digits are those of a number, however it is written.
func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}

// learn takes from a record what else stands for the person: the calls of the
// number, and the ids of their events.
func (p *dataSubject) learn(s *queue.Stored) {
	switch s.Stream {
	case "ATTEMPTS":
		if a := attempt(queue.Logged{Body: s.Body}); p.calls[a.Call] {
			p.ids[a.ID] = true
		}
	case "EVENTS", "RETRY", "DEAD":
		p.learnEvent(s.ID, s.Body)
	}
}

func (p *dataSubject) learnEvent(id string, body []byte) {
	e, err := call.Parse(body, id)
	if err != nil || !p.calls[e.Call] && (p.number == "" || digits(e.Lookup("ani").Text) != p.number) {
		return
	}
	if e.Call != "" {
		p.calls[e.Call] = true
	}
	p.ids[id] = true
	if ani := e.Lookup("ani").Text; p.number != "" && digits(ani) == p.number {
		p.texts[ani] = true
	}
	for _, recording := range []func() (string, bool){e.Recording, e.AgentRecording} {
		if path, ok := recording(); ok && path != "" {
			p.files[path] = true
		}
	}
}

// has reports whether a record is of the person. Transcripts are searched, for
// they hold what an endpoint made of an event too.
func (p *dataSubject) has(s *queue.Stored) bool {
	switch s.Stream {
	case "ATTEMPTS":
		a := attempt(queue.Logged{Body: s.Body})
		return p.calls[a.Call] || p.ids[a.ID]
	case "DEBUG":
		return p.isIn(s.Body)
	}
	return s.Call != "" && p.calls[s.Call] || p.ids[s.ID]
}

// minSearched is the length from which a call or a number is looked for in a
// text: shorter ones are found everywhere.
const minSearched = 7

func (p *dataSubject) isIn(text []byte) bool {
	var t struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(text, &t) == nil && p.ids[t.ID] {
		return true
	}
	if len(p.number) >= minSearched && hasNumber(text, p.number) {
		return true
	}
	for one := range p.calls {
		if len(one) >= minSearched && (bytes.Contains(text, []byte(one)) || bytes.Contains(text, []byte(url.QueryEscape(one)))) {
			return true
		}
	}
	return false
}

// hasNumber reports whether digits stand in a text, not as a part of more.
func hasNumber(text []byte, number string) bool {
	digit := func(b []byte) bool { return len(b) > 0 && b[0] >= '0' && b[0] <= '9' }
	for {
		i := bytes.Index(text, []byte(number))
		if i < 0 {
			return false
		}
		after := text[i+len(number):]
		if !digit(after) && (i == 0 || !digit(text[i-1:])) {
			return true
		}
		text = after
	}
}

// erase removes a person from every stream, once to learn what stands for them
// and once to remove it.
func (p operator) erase(ctx context.Context, whom web.Person, dry bool) (web.Erasure, error) {
	who, err := newDataSubject(whom)
	if err != nil {
		return web.Erasure{}, err
	}
	if err := p.queue.Scan(ctx, who.learn); err != nil {
		return web.Erasure{}, err
	}
	done, err := p.queue.Erase(ctx, dry, who.has)
	result := web.Erasure{
		Calls: len(who.calls), Records: done.Records, Owed: done.Owed, InFlight: done.InFlight,
		Recordings: slices.Sorted(maps.Keys(who.files)),
	}
	if p.recordings != nil {
		result.Late = p.recordings.Forget(dry, who.hasEvent)
	}
	if err == nil && !dry {
		result.Traces, err = p.queue.Traces(ctx, who.searched())
		p.log.Info("person erased", "records", done.Records, "owed", done.Owed)
	}
	return result, err
}

// searched are the texts by which traces of the person are found on disk.
func (p *dataSubject) searched() []string {
	var list []string
	for _, texts := range []map[string]bool{p.calls, p.texts} {
		for text := range texts {
			if len(text) >= minSearched {
				list = append(list, text)
			}
		}
	}
	return list
}

// hasEvent reports whether an event that is not in the queue is of the person.
func (p *dataSubject) hasEvent(body []byte) bool {
	e, err := call.Parse(body, "")
	return err == nil && (p.calls[e.Call] || p.number != "" && digits(e.Lookup("ani").Text) == p.number)
}
