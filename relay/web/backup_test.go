package web

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSocketSendsABackupFileByFile(t *testing.T) {
	files := []struct{ path, data string }{
		{"floors", ""},
		{"EVENTS/stream.tar.s2", strings.Repeat("\r\n--boundary\x00", 100_000)},
		{"backup.json", "{}"},
	}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"whole", nil, ""},
		{"broken off", errors.New("stream EVENTS: the disk is gone"), "stream EVENTS: the disk is gone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			relay, _, _ := fakeRelay()
			relay.Backup = func(_ context.Context, create func(string) (io.Writer, error)) error {
				for _, f := range files {
					w, err := create(f.path)
					if err != nil {
						return err
					}
					if _, err := io.WriteString(w, f.data); err != nil {
						return err
					}
				}
				return test.err
			}
			n := 0
			err := startSocket(t, relay).Backup(t.Context(), func(path string, data io.Reader) error {
				got, err := io.ReadAll(data)
				if path != files[n].path || string(got) != files[n].data {
					t.Errorf("file %d: got %s of %d bytes", n, path, len(got))
				}
				n++
				return err
			})
			if text := errText(err); text != test.want || n != len(files) {
				t.Errorf("got %d files and error %q, want %q", n, text, test.want)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSocketErasesWhomItIsTold(t *testing.T) {
	relay, _, _ := fakeRelay()
	relay.Erase = func(_ context.Context, p Person, dry bool) (Erasure, error) {
		if p != (Person{Number: "+1 555"}) || !dry {
			return Erasure{}, errors.New("asked for somebody else")
		}
		return Erasure{Calls: 2, Owed: map[string]int{"crm": 3}}, nil
	}
	e, err := startSocket(t, relay).Erase(t.Context(), Person{Number: "+1 555"}, true)
	if err != nil || e.Calls != 2 || e.Owed["crm"] != 3 {
		t.Errorf("got %+v and %v", e, err)
	}
}
