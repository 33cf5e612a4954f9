package recordings

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestAForgottenRecordingIsNeitherKeptNorAnnounced(t *testing.T) {
	raise, raised := raiser(0)
	kept := &memory{}
	r, _ := openTest(t, testConfig(t), Options{Raise: raise, Store: kept})
	r.Late("2020/a.wav", -1, -1, []byte(lateEvent), time.Now().Add(time.Hour))
	ann := func(event []byte) bool { return bytes.Contains(event, []byte("202004220000000000000000000001")) }
	if n := r.Forget(false, func([]byte) bool { return false }); n != 0 {
		t.Errorf("forgot %d that do not match", n)
	}
	if dry, n := r.Forget(true, ann), r.Forget(false, ann); dry != 1 || n != 1 {
		t.Errorf("found %d and forgot %d, want 1 and 1", dry, n)
	}
	if data, err := kept.Load(lateStore); err != nil || ann(data) {
		t.Errorf("kept %s %v", data, err)
	}
	if n := r.Forget(false, ann); n != 0 {
		t.Errorf("%d are there still", n)
	}
	putOld(t, r, "2020/a.wav", testFile(t, "mono.wav"))
	r.Late("2020/a.wav", -1, -1, []byte(strings.Replace(lateEvent, "e-1", "e-2", 1)), time.Now().Add(time.Hour))
	if got := receive(t, raised); got["id"] != "e-2/"+AvailableEvent {
		t.Errorf("announced %v, want what was not forgotten alone", got["id"])
	}
}
