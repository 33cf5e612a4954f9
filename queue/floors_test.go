package queue

import (
	"os"
	"reflect"
	"testing"

	"callrelay/queue/engine"
)

func TestFloorsSurviveATornWrite(t *testing.T) {
	t.Parallel()
	f, err := engine.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	states := []floors{
		{lanes: map[string]progress{"crm": {high: 7}}},
		{lanes: map[string]progress{"crm": {high: 900, open: []uint64{3, 500}}, "billing": {high: 2}}, gone: []uint64{4, 9}},
	}
	file, _, err := openFloors(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if err := file.save(s); err != nil {
			t.Fatal(err)
		}
	}
	newest := 1 - file.current
	file.close()
	for i, want := range []floors{states[1], states[0]} {
		file, got, err := openFloors(f)
		if err != nil {
			t.Fatal(err)
		}
		file.close()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("reading %d: got %+v, want %+v", i, got, want)
		}
		if err := os.Truncate(f.Path("floors."+string('0'+rune(newest))), 30); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFloorsAreNotedBetweenSyncs(t *testing.T) {
	t.Parallel()
	f, err := engine.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	synced, noted := floors{lanes: map[string]progress{"crm": {high: 7}}}, floors{lanes: map[string]progress{"crm": {high: 9}}}
	file, _, err := openFloors(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.save(synced); err != nil {
		t.Fatal(err)
	}
	current := file.current
	for range 5 { // all go into the one slot that is not on disk
		if err := file.write(noted); err != nil {
			t.Fatal(err)
		}
	}
	file.close()
	for _, want := range []floors{noted, synced} { // a crash of the process; a power cut
		file, got, err := openFloors(f)
		if err != nil {
			t.Fatal(err)
		}
		file.close()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if err := os.Truncate(f.Path("floors."+string('0'+rune(current))), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzDecodeFloors(f *testing.F) {
	f.Add(encodeFloors(nil, 1, floors{}))
	f.Add(encodeFloors(nil, 2, floors{lanes: map[string]progress{"crm": {high: 900, open: []uint64{3, 500}}}, gone: []uint64{1}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		generation, fl, err := decodeFloors(data)
		if err != nil {
			return
		}
		again, same, err := decodeFloors(encodeFloors(nil, generation, fl))
		if err != nil || again != generation || !reflect.DeepEqual(same, fl) {
			t.Errorf("got %+v and %v, want %+v", same, err, fl)
		}
	})
}
