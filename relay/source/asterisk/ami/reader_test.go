package ami

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReader(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string // "name=value" of each message, joined by spaces
	}{
		{"two messages", "Event: A\r\nX: 1\r\n\r\nResponse: Success\r\n\r\n", []string{"Event=A X=1", "Response=Success"}},
		{"the greeting is left out", "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\n\r\n", []string{"Response=Success"}},
		{"blank lines between messages", "\r\n\r\nEvent: A\r\n\r\n\r\n\r\nEvent: B\r\n\r\n", []string{"Event=A", "Event=B"}},
		{"bare line feeds", "Event: A\n\nEvent: B\n\n", []string{"Event=A", "Event=B"}},
		{"names repeat", "Event: A\r\nChanVariable: a=1\r\nChanVariable: b=2\r\n\r\n", []string{"Event=A ChanVariable=a=1 ChanVariable=b=2"}},
		{"colons in a value, no space before it, no value", "Event:A\r\nTime: 12:30\r\nEmpty:\r\n\r\n", []string{"Event=A Time=12:30 Empty="}},
		{"a line beyond the limit", "Event: A\r\nX: " + strings.Repeat("x", MaxLine) + "\r\nY: 1\r\n\r\nEvent: B\r\n\r\n", []string{"too large", "Event=B"}},
		{"a message beyond the limit", "Event: A\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 300) + "\r\nEvent: B\r\n\r\n", []string{"too large", "Event=B"}},
		{"a message that the end cuts off", "Event: A\r\n\r\nEvent: B\r\nX:", []string{"Event=A"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := readAll(t, test.text); !slices.Equal(got, test.want) {
				t.Errorf("messages = %q, want %q", got, test.want)
			}
		})
	}
}

func readAll(t testing.TB, text string) (all []string) {
	t.Helper()
	for r := NewReader(strings.NewReader(text)); ; {
		m, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all
		case errors.Is(err, ErrTooLarge):
			all = append(all, "too large")
		case err != nil:
			t.Fatal(err)
		default:
			var lines []string
			for _, h := range m {
				lines = append(lines, h.Name+"="+h.Value)
			}
			all = append(all, strings.Join(lines, " "))
		}
	}
}

func TestMessage(t *testing.T) {
	m := Message{{"Event", "Cdr"}, {"UniqueID", "7.1"}, {"CallerIDNum", "<unknown>"}, {"Timestamp", "1795442309.86203"}}
	if got := m.Get("Uniqueid"); got != "7.1" {
		t.Errorf("Get of another case = %q, want 7.1", got)
	}
	if got := m.Get("CallerIDNum"); got != "" {
		t.Errorf("Get of <unknown> = %q, want nothing", got)
	}
	if got, want := m.Stamp(), time.Date(2026, 11, 23, 13, 58, 29, 862030000, time.UTC); !got.Equal(want) {
		t.Errorf("Stamp = %v, want %v", got, want)
	}
	for _, text := range []string{"", "soon", "17.x"} {
		if got := (Message{{"Timestamp", text}}).Stamp(); !got.IsZero() {
			t.Errorf("Stamp of %q = %v, want none", text, got)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add("Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n")
	f.Add("Event: VarSet\r\nTimestamp: 1795442309.862053\r\nVariable: A\r\nValue: \r\n\r\nEvent:")
	f.Add(":\r\n\r\n::\n\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		r := NewReader(strings.NewReader(text))
		for {
			m, err := r.Next()
			if err != nil && !errors.Is(err, ErrTooLarge) {
				return
			}
			if err == nil && len(m) == 0 {
				t.Fatal("an empty message")
			}
			m.Stamp()
		}
	})
}
