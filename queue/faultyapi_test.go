package queue

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// api answers a request to JetStream.
func (f *faulty) api(subject, reply string, body []byte) {
	tokens := strings.Split(strings.TrimPrefix(subject, "$JS.API."), ".")
	if tokens[0] == "DIRECT" {
		f.direct(tokens, reply, body)
		return
	}
	if len(tokens) < 3 {
		f.fail(reply, 10025, "unknown request")
		return
	}
	what, stream := tokens[0]+"."+tokens[1], tokens[2]
	if what == "STREAM.MSG" || what == "CONSUMER.MSG" {
		what, stream, tokens = what+"."+tokens[2], tokens[3], tokens[1:]
	}
	s := f.streams[stream]
	if s == nil && what != "STREAM.CREATE" {
		f.fail(reply, 10059, "stream not found")
		return
	}
	switch what {
	case "STREAM.CREATE":
		f.create(stream, reply, body)
	case "STREAM.INFO":
		f.info(s, reply, body)
	case "STREAM.PURGE":
		f.purge(s, reply, body)
	case "STREAM.DELETE":
		f.deleteStream(stream)
		f.answer(reply, `{"success":true}`)
	case "STREAM.MSG.DELETE":
		f.delete(s, reply, body)
	case "CONSUMER.CREATE":
		f.consume(s, tokens[3], reply, body)
	case "CONSUMER.DELETE":
		if f.dropConsumer(s, tokens[3]) {
			f.answer(reply, `{"success":true}`)
		} else {
			f.fail(reply, 10014, "consumer not found")
		}
	case "CONSUMER.INFO":
		if c := s.consumers[tokens[3]]; c != nil {
			f.answer(reply, s.consumerInfo(c))
		} else {
			f.fail(reply, 10014, "consumer not found")
		}
	case "CONSUMER.MSG.NEXT":
		f.next(s, tokens[3], reply, body)
	default:
		f.fail(reply, 10025, "unknown request "+subject)
	}
}

// answer answers a request, as two servers may while another one comes to lead.
func (f *faulty) answer(reply, body string) {
	f.deliver(reply, "", nil, []byte(body))
	if f.rand.Float64() < f.Twice {
		f.deliver(reply, "", nil, []byte(body))
	}
}

func (f *faulty) fail(reply string, code int, text string) {
	f.answer(reply, fmt.Sprintf(`{"error":{"code":404,"err_code":%d,"description":%q}}`, code, text))
}

func (f *faulty) create(name, reply string, body []byte) {
	var config struct {
		Subjects []string `json:"subjects"`
	}
	_ = json.Unmarshal(body, &config)
	if f.streams[name] == nil {
		f.streams[name] = &fakeStream{
			name: name, config: slices.Clone(body), subject: config.Subjects[0], created: time.Now(),
			consumers: map[string]*fakeConsumer{}, batches: map[string][]*fakeRecord{},
		}
	}
	f.info(f.streams[name], reply, nil)
}

func (f *faulty) info(s *fakeStream, reply string, body []byte) {
	var wish struct {
		Filter string `json:"subjects_filter"`
		Offset int    `json:"offset"`
	}
	_ = json.Unmarshal(body, &wish)
	subjects, bytes := map[string]int{}, 0
	lastAt := time.Time{}
	for _, r := range s.records {
		bytes += r.bytes()
		lastAt = r.at
		if wish.Filter != "" && matches(wish.Filter, r.subject) {
			subjects[r.subject]++
		}
	}
	total := len(subjects)
	if wish.Offset > 0 {
		clear(subjects)
	}
	state := map[string]any{
		"messages": len(s.records), "bytes": bytes, "first_seq": s.first(), "last_seq": s.last, "last_ts": lastAt, "first_ts": lastAt,
		"num_deleted": int(s.last-s.first()+1) - len(s.records), "consumer_count": len(s.consumers), "subjects": subjects,
	}
	out, _ := json.Marshal(map[string]any{"type": "info", "config": json.RawMessage(s.config), "created": s.created, "state": state, "total": total})
	f.answer(reply, string(out))
}

func (f *faulty) purge(s *fakeStream, reply string, body []byte) {
	if s.frozen == f.number {
		return
	}
	var wish struct {
		Filter string `json:"filter"`
		Seq    uint64 `json:"seq"`
	}
	_ = json.Unmarshal(body, &wish)
	if f.Full.Load() {
		s.frozen = f.number
		f.fail(reply, 10051, "no space left on device")
		return
	}
	before := len(s.records)
	s.records = slices.DeleteFunc(s.records, func(r *fakeRecord) bool {
		return (wish.Seq == 0 || r.seq < wish.Seq) && (wish.Filter == "" || matches(wish.Filter, r.subject))
	})
	if wish.Filter == "" && wish.Seq > s.last+1 {
		s.last = wish.Seq - 1
	}
	s.durable = max(s.durable, s.last) // the purge synced what lies before it
	f.answer(reply, fmt.Sprintf(`{"success":true,"purged":%d}`, before-len(s.records)))
}

func (f *faulty) delete(s *fakeStream, reply string, body []byte) {
	if s.frozen == f.number {
		return
	}
	var wish struct {
		Seq uint64 `json:"seq"`
	}
	_ = json.Unmarshal(body, &wish)
	at, found := s.find(wish.Seq)
	if !found {
		f.fail(reply, 10057, "no message found")
		return
	}
	s.records = slices.Delete(s.records, at, at+1)
	s.durable = max(s.durable, s.last)
	f.answer(reply, `{"success":true}`)
}

func (f *faulty) consume(s *fakeStream, name, reply string, body []byte) {
	var wish struct {
		Config struct {
			Filter      string     `json:"filter_subject"`
			Policy      string     `json:"deliver_policy"`
			Start       uint64     `json:"opt_start_seq"`
			Since       *time.Time `json:"opt_start_time"`
			HeadersOnly bool       `json:"headers_only"`
		} `json:"config"`
	}
	_ = json.Unmarshal(body, &wish)
	c := s.consumers[name]
	if c == nil {
		c = &fakeConsumer{name: name, filter: wish.Config.Filter, headersOnly: wish.Config.HeadersOnly, next: max(wish.Config.Start, 1)}
		if c.filter == "" {
			c.filter = ">"
		}
		if wish.Config.Since != nil {
			at := slices.IndexFunc(s.records, func(r *fakeRecord) bool { return !r.at.Before(*wish.Config.Since) })
			if c.next = s.last + 1; at >= 0 {
				c.next = s.records[at].seq
			}
		}
		s.consumers[name] = c
	}
	f.answer(reply, s.consumerInfo(c))
}

func (s *fakeStream) consumerInfo(c *fakeConsumer) string {
	return fmt.Sprintf(`{"stream_name":%q,"name":%q,"config":{"durable_name":%q},"delivered":{"consumer_seq":%d,"stream_seq":%d},"num_waiting":%d,"num_pending":%d}`,
		s.name, c.name, c.name, c.delivered, c.next-1, len(c.asked), s.pending(c))
}

func (f *faulty) next(s *fakeStream, name, reply string, body []byte) {
	c := s.consumers[name]
	if c == nil {
		f.deliver(reply, "", []byte("NATS/1.0 503\r\n\r\n"), nil)
		return
	}
	var wish struct {
		Batch   int           `json:"batch"`
		Expires time.Duration `json:"expires"`
	}
	_ = json.Unmarshal(body, &wish)
	ask := fakeAsk{reply: reply, left: max(wish.Batch, 1), until: time.Now().Add(wish.Expires)}
	c.asked = append(c.asked, ask)
	f.feed(s)
}

// direct reads one record.
func (f *faulty) direct(tokens []string, reply string, body []byte) {
	missing := []byte("NATS/1.0 404 Message Not Found\r\n\r\n")
	var wish struct {
		Seq    uint64     `json:"seq"`
		Next   string     `json:"next_by_subj"`
		Last   string     `json:"last_by_subj"`
		Since  *time.Time `json:"start_time"`
		Filter string     `json:"-"`
	}
	_ = json.Unmarshal(body, &wish)
	s := f.streams[tokens[len(tokens)-1]]
	if s == nil {
		f.deliver(reply, "", []byte("NATS/1.0 503\r\n\r\n"), nil)
		return
	}
	var found *fakeRecord
	for _, r := range s.records {
		switch {
		case wish.Last != "":
			if r.subject == wish.Last {
				found = r
			}
		case found != nil:
		case wish.Next == "" && r.seq == wish.Seq,
			wish.Next != "" && r.seq >= wish.Seq && matches(wish.Next, r.subject) && (wish.Since == nil || !r.at.Before(*wish.Since)):
			found = r
		}
	}
	if found == nil {
		f.deliver(reply, "", missing, nil)
		return
	}
	h := withHeader(found.headers, "Nats-Stream", s.name)
	h = withHeader(h, "Nats-Subject", found.subject)
	h = withHeader(h, "Nats-Sequence", strconv.FormatUint(found.seq, 10))
	h = withHeader(h, "Nats-Time-Stamp", found.at.UTC().Format(time.RFC3339Nano))
	f.deliver(reply, "", h, found.body)
}

func header(h, key string) string {
	for line := range strings.SplitSeq(h, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && k == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func withHeader(h []byte, key, value string) []byte {
	text := strings.TrimSuffix(string(h), "\r\n")
	if text == "" {
		text = "NATS/1.0\r\n"
	}
	return []byte(text + key + ": " + value + "\r\n\r\n")
}
