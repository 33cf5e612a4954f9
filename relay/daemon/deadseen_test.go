package daemon

import "testing"

// memoryStore keeps what is saved.
type memoryStore map[string][]byte

func (m memoryStore) Save(name string, data []byte) error { m[name] = data; return nil }
func (m memoryStore) Load(name string) ([]byte, error)    { return m[name], nil }

func TestDeadLettersThatNobodyHasLookedAt(t *testing.T) {
	stored := memoryStore{}
	d := newDeadSeen(stored)
	expect := func(step, service string, letters, want int) {
		t.Helper()
		if got := d.fresh(service, letters); got != want {
			t.Errorf("%s: %d new ones, want %d", step, got, want)
		}
	}
	expect("at first", "crm", 5, 5)
	expect("another service", "sales", 2, 2)
	d.look("crm")
	expect("one was looked at", "crm", 5, 0)
	expect("the other was not", "sales", 2, 2)
	d.look("")
	expect("all were", "sales", 2, 0)
	expect("more came", "crm", 8, 3)
	expect("some went, and were among those seen", "crm", 4, 0)
	expect("and came again", "crm", 6, 2)
	d = newDeadSeen(stored)
	expect("after a restart", "crm", 6, 1)
}
