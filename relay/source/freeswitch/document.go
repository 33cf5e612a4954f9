package freeswitch

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// document is what of a call detail record matters here.
type document struct {
	Switch    text            `json:"switchname"`
	Variables map[string]text `json:"variables"`
	Callflow  list[flow]      `json:"callflow"` // newest first
	Log       struct {
		Applications list[application] `json:"applications"`
	} `json:"app_log"` // what the dialplan ran, oldest first
}

type flow struct {
	Profile profile         `json:"caller_profile"`
	Times   map[string]text `json:"times"` // microseconds
}

type profile struct {
	UUID       text `json:"uuid"`
	CallerID   text `json:"caller_id_number"`
	ANI        text `json:"ani"` // as the call came in; caller_id_number is rewritten by transfers
	RDNIS      text `json:"rdnis"`
	Dialled    text `json:"destination_number"`
	Channel    text `json:"chan_name"`
	Originator struct {
		Profiles list[profile] `json:"originator_caller_profiles"`
	} `json:"originator"` // who called this leg: it is a b-leg
	Originatee struct {
		Profiles list[profile] `json:"originatee_caller_profiles"`
	} `json:"originatee"` // whom this leg called, or was bridged with
}

type application struct {
	Name  text `json:"app_name"`
	Data  text `json:"app_data"`
	Stamp text `json:"app_stamp"` // microseconds
}

// list is a JSON array, or as FreeSWITCH 1.4 and 1.6 write it one object, with
// the name of the member again for each further one.
type list[T any] []T

// UnmarshalJSON adds what data holds to the list.
func (l *list[T]) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		var more []T
		err := decodeWhatFits(data, &more)
		*l = append(*l, more...)
		return err
	}
	if !bytes.HasPrefix(data, []byte("{")) {
		return nil
	}
	var one T
	err := decodeWhatFits(data, &one)
	*l = append(*l, one)
	return err
}

// decodeWhatFits decodes JSON. What is of another type than it should be is as
// if it were not there.
func decodeWhatFits(data []byte, to any) error {
	err := json.Unmarshal(data, to)
	if _, misfit := errors.AsType[*json.UnmarshalTypeError](err); misfit {
		return nil
	}
	return err
}

// text is a string or a number of a document, the last one of an array;
// anything else is empty.
type text string

// UnmarshalJSON reads a string or a number, or an array of them.
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	var n json.Number
	var all []text
	switch {
	case json.Unmarshal(data, &s) == nil:
		*t = text(s)
	case json.Unmarshal(data, &n) == nil:
		*t = text(n)
	case json.Unmarshal(data, &all) == nil && len(all) > 0:
		*t = all[len(all)-1]
	}
	return nil
}

// errBothEncodings says what to change. A value that is decoded together with
// the document can close its string and go on with members of its own, so that
// a caller's name could name a recording: such a document is not guessed at.
var errBothEncodings = errors.New("read document: mod_json_cdr encoded it twice, so that its strings cannot be told apart any more: set encode-values (or encode) to false in json_cdr.conf.xml")

// parse reads a document as the module posts it or spools it: JSON, or its
// URL or base64 encoding, with or without the name cdr= of the form field.
func parse(body []byte) (*document, error) {
	plain, escaped, err := decode(bytes.TrimSpace(body))
	if err != nil {
		return nil, err
	}
	plain = bytes.ToValidUTF8(plain, []byte("\uFFFD"))
	if escaped && !json.Valid(plain) {
		if plain = escapeControls(plain); !jsontext.Value(plain).IsValid() { // names that repeat are not, either
			return nil, errBothEncodings
		}
	}
	var d document
	if err := decodeWhatFits(plain, &d); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	if d.uuid() == "" {
		return nil, errors.New("read document: no uuid")
	}
	if len(d.Variables) == 0 { // whose leg it is nothing else says
		return nil, errors.New("read document: no variables")
	}
	d.decodeValues()
	return &d, nil
}

// decode undoes the encoding of the whole document, which its Content-Type does
// not always name: disable-100-continue drops it. It reports whether that was
// URL encoding.
func decode(body []byte) (plain []byte, escaped bool, err error) {
	body = bytes.TrimPrefix(body, []byte("cdr="))
	switch {
	case bytes.HasPrefix(body, []byte("{")):
		return body, false, nil
	case bytes.HasPrefix(body, []byte("%7B")), bytes.HasPrefix(body, []byte("%7b")):
		decoded, err := url.PathUnescape(string(body))
		if err != nil {
			return nil, true, fmt.Errorf("decode document: %w", err)
		}
		return []byte(decoded), true, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(string(body)) // its line ends are passed over
	if err != nil {
		return nil, false, errors.New("decode document: neither JSON nor its URL or base64 encoding")
	}
	return decoded, false, nil
}

// escapeControls escapes the control characters in strings, of which a document
// in JSON has none.
func escapeControls(body []byte) []byte {
	var out bytes.Buffer
	inString := false
	for i, b := range body {
		if b == '"' && (i == 0 || body[i-1] != '\\') {
			inString = !inString
		}
		if b < ' ' && inString {
			fmt.Fprintf(&out, `\u%04x`, b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.Bytes()
}

// decodeValues undoes encode-values, which the module has on by default. The
// document does not say it, but the dates in it show it.
func (d *document) decodeValues() {
	encoded := false
	for name, value := range d.Variables {
		encoded = encoded || strings.HasSuffix(name, "_stamp") && strings.Contains(string(value), "%3A")
	}
	if !encoded {
		return
	}
	for name, value := range d.Variables {
		if decoded, err := url.PathUnescape(string(value)); err == nil {
			d.Variables[name] = text(strings.ToValidUTF8(decoded, "\uFFFD"))
		}
	}
}

func (d *document) variable(names ...string) string {
	for _, name := range names {
		if value := d.Variables[name]; value != "" {
			return string(value)
		}
	}
	return ""
}

func (d *document) uuid() string {
	if uuid := d.variable("uuid"); uuid != "" || len(d.Callflow) == 0 {
		return uuid
	}
	return string(d.Callflow[0].Profile.UUID)
}

// side is whose leg of a queue's call it is: the agent's, or the member's, who
// is the caller; empty: no queue's.
func (d *document) side() string {
	switch side := d.variable("cc_side"); {
	case side == "agent", side == "member":
		return side
	case d.variable("cc_member_session_uuid") != "": // only an agent's leg has it
		return "agent"
	case d.variable("cc_queue_joined_epoch") != "":
		return "member"
	}
	return ""
}

// first is how the leg began: its oldest profile. A transfer adds newer ones.
func (d *document) first() profile {
	if len(d.Callflow) == 0 {
		return profile{}
	}
	return d.Callflow[len(d.Callflow)-1].Profile
}

// stamp is a moment of the leg, from the variable that counts microseconds, or
// from the times of its profiles: the first of them, or the last.
func (d *document) stamp(variable, times string) time.Time {
	if t := micros(d.Variables[variable]); !t.IsZero() {
		return t
	}
	for i := range d.Callflow {
		if t := micros(d.Callflow[len(d.Callflow)-1-i].Times[times]); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func (d *document) start() time.Time { return d.stamp("start_uepoch", "created_time") }
func (d *document) end() time.Time   { return d.stamp("end_uepoch", "hangup_time") }

// called reports whether another leg called this one.
func (d *document) called() bool {
	return len(d.first().Originator.Profiles) > 0 || d.variable("originator", "originating_leg_uuid") != ""
}

// answered reports whether the leg is that of a phone that took another's
// call: it was dialled, or it picked the call up, or took it out of a parking
// place and not into one.
func (d *document) answered() bool {
	return d.called() && d.variable("relay_agent", "dialed_user") != "" || d.ran("intercept") ||
		d.ran("valet_park") && d.phone() != "" && d.variable("originate_disposition") == "" && d.variable("last_bridge_to") != ""
}

// device is the user of the directory whose phone the leg is. dialed_user is
// also set on the leg of who dialled, and then says whom.
func (d *document) device() string {
	dialled := d.variable("dialed_user")
	if d.variable("originate_disposition") != "" {
		dialled = string(d.first().Dialled)
	}
	return cmp.Or(userOf(d.variable("presence_id", "user_name")), dialled)
}

// phone is the user whose phone made the call of the leg; empty: a trunk's.
func (d *document) phone() string {
	if d.variable("direction") == "outbound" && !d.called() { // the relay's own word for click to dial
		return d.device()
	}
	return userOf(d.variable("user_name"))
}

func (d *document) ran(app string) bool {
	return slices.ContainsFunc(d.Log.Applications, func(a application) bool { return string(a.Name) == app })
}

// recorded is the file of the leg, and since when it is recorded to, if that is
// known.
func (d *document) recorded() *file {
	if d.variable("RECORD_DISCARDED") == "true" {
		return nil // it is deleted
	}
	f := &file{Name: d.variable("relay_recording")}
	for _, a := range d.Log.Applications {
		if name := string(a.Data); a.Name == "record_session" && (f.Name == "" || path.Clean(f.Name) == path.Clean(name)) {
			f.Name, f.Start = name, micros(a.Stamp)
		}
	}
	return f
}

func micros(t text) time.Time {
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func seconds(t string) time.Time { return micros(text(t) + "000000") }
