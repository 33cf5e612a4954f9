package lane

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
	states := []Floors{
		{Lanes: map[string]Progress{"crm": {High: 7}}},
		{Lanes: map[string]Progress{"crm": {High: 900, Open: []uint64{3, 500}, Past: []uint64{901, 950}}, "billing": {High: 2}}, Gone: []uint64{4, 9}},
	}
	file, _, err := OpenFloors(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if err := file.Save(s); err != nil {
			t.Fatal(err)
		}
	}
	newest := 1 - file.Current
	file.Close()
	for i, want := range []Floors{states[1], states[0]} {
		file, got, err := OpenFloors(f)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
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
	synced, noted := Floors{Lanes: map[string]Progress{"crm": {High: 7}}}, Floors{Lanes: map[string]Progress{"crm": {High: 9}}}
	file, _, err := OpenFloors(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Save(synced); err != nil {
		t.Fatal(err)
	}
	current := file.Current
	for range 5 { // all go into the one slot that is not on disk
		if err := file.Write(noted); err != nil {
			t.Fatal(err)
		}
	}
	file.Close()
	for _, want := range []Floors{noted, synced} { // a crash of the process; a power cut
		file, got, err := OpenFloors(f)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if err := os.Truncate(f.Path("floors."+string('0'+rune(current))), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzDecodeFloors(f *testing.F) {
	f.Add(EncodeFloors(nil, 1, Floors{}))
	f.Add(EncodeFloors(nil, 2, Floors{Lanes: map[string]Progress{"crm": {High: 900, Open: []uint64{3, 500}, Past: []uint64{901}}}, Gone: []uint64{1}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		generation, fl, err := DecodeFloors(data)
		if err != nil {
			return
		}
		again, same, err := DecodeFloors(EncodeFloors(nil, generation, fl))
		if err != nil || again != generation || !reflect.DeepEqual(same, fl) {
			t.Errorf("got %+v and %v, want %+v", same, err, fl)
		}
	})
}
