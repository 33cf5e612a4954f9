package lane

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"golang.org/x/sys/unix"

	"callrelay/queue/engine"
)

// Floors is what the queue knows about finished deliveries, for all lanes
// together.
type Floors struct {
	Lanes map[string]Progress
	Gone  []uint64 // finished in RETRY but not deleted from it yet, ascending
	// Parked: what lies in RETRY up to this sequence has been released in EVENTS.
	Parked uint64
}

// Progress of one lane: everything up to high is finished but what is open, and
// what is past beyond it.
type Progress struct {
	High uint64
	Open []uint64 // ascending
	Past []uint64 // the same
}

// FloorFile keeps the floors in two slots. One is on disk; the other is written
// again and again, for a crash of the process alone loses no write, until it is
// synced and the two change places. So a power cut leaves the floors of the last
// sync, and a crash of the process those of a moment ago.
type FloorFile struct {
	Slots      [2]*os.File
	Current    int  // the slot that is written
	Dirty      bool // it was written and not synced
	generation uint64
	buf        []byte
}

const (
	floorMagic      = "relayfl1"
	floorHeaderSize = len(floorMagic) + 8 + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// OpenFloors opens both slots and returns what the newer whole one says.
func OpenFloors(f *engine.Folder) (*FloorFile, Floors, error) {
	file := &FloorFile{}
	newest := Floors{Lanes: map[string]Progress{}}
	for i, name := range []string{"floors.0", "floors.1"} {
		slot, err := os.OpenFile(f.Path(name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			file.Close()
			return nil, newest, fmt.Errorf("open queue: %w", err)
		}
		file.Slots[i] = slot
		data, err := os.ReadFile(f.Path(name))
		if err != nil {
			file.Close()
			return nil, newest, fmt.Errorf("open queue: %w", err)
		}
		if generation, fl, err := DecodeFloors(data); err == nil && generation > file.generation {
			file.generation, newest, file.Current = generation, fl, 1-i
		}
	}
	return file, newest, engine.SyncDir(f.Dir)
}

// Save writes the floors and returns when they are on disk.
func (f *FloorFile) Save(fl Floors) error {
	if err := f.Write(fl); err != nil {
		return err
	}
	return f.Sync()
}

// Write notes the floors. They survive a crash of the process.
func (f *FloorFile) Write(fl Floors) error {
	f.generation++
	f.buf = EncodeFloors(f.buf[:0], f.generation, fl)
	f.Dirty = true
	if _, err := f.Slots[f.Current].WriteAt(f.buf, 0); err != nil {
		return fmt.Errorf("save floors: %w", err)
	}
	return nil
}

// Sync returns when what was written survives a power cut too.
func (f *FloorFile) Sync() error {
	if !f.Dirty {
		return nil
	}
	if err := unix.Fdatasync(int(f.Slots[f.Current].Fd())); err != nil {
		return fmt.Errorf("save floors: %w", err)
	}
	f.Current, f.Dirty = 1-f.Current, false
	return nil
}

// Close closes the slots as they are; nil: there are none.
func (f *FloorFile) Close() {
	if f == nil {
		return
	}
	for _, slot := range f.Slots {
		if slot != nil {
			_ = slot.Close()
		}
	}
}

// EncodeFloors appends magic, generation, length and checksum of the payload,
// and the payload.
func EncodeFloors(b []byte, generation uint64, fl Floors) []byte {
	b = append(b, floorMagic...)
	b = binary.LittleEndian.AppendUint64(b, generation)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.AppendUvarint(b, uint64(len(fl.Lanes)))
	for name, p := range fl.Lanes {
		b = appendName(b, name)
		b = binary.AppendUvarint(b, p.High)
		b = appendAscending(b, p.Open)
	}
	b = appendAscending(b, fl.Gone)
	b = binary.AppendUvarint(b, fl.Parked)
	for name, p := range fl.Lanes {
		if len(p.Past) > 0 {
			b = appendName(b, name)
			b = appendAscending(b, p.Past)
		}
	}
	payload := b[floorHeaderSize:]
	binary.LittleEndian.PutUint32(b[16:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(payload, castagnoli)^uint32(generation))
	return b
}

func appendName(b []byte, name string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(name))), name...)
}

// appendAscending writes the steps between the numbers.
func appendAscending(b []byte, numbers []uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(numbers)))
	last := uint64(0)
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n-last)
		last = n
	}
	return b
}

var errTorn = errors.New("not a whole record of floors")

// DecodeFloors reads what [EncodeFloors] wrote, and its generation.
func DecodeFloors(data []byte) (uint64, Floors, error) {
	fl := Floors{Lanes: map[string]Progress{}}
	if len(data) < floorHeaderSize || string(data[:8]) != floorMagic {
		return 0, fl, errTorn
	}
	generation := binary.LittleEndian.Uint64(data[8:])
	length := uint64(binary.LittleEndian.Uint32(data[16:]))
	sum := binary.LittleEndian.Uint32(data[20:])
	data = data[floorHeaderSize:]
	if uint64(len(data)) < length || crc32.Checksum(data[:length], castagnoli)^uint32(generation) != sum {
		return 0, fl, errTorn
	}
	r := varints{data: data[:length]}
	for range r.count() {
		name := r.text()
		high := r.next()
		fl.Lanes[name] = Progress{High: high, Open: r.ascending()}
	}
	fl.Gone = r.ascending()
	if len(r.data) > 0 { // a relay before this one did not know
		fl.Parked = r.next()
	}
	for len(r.data) > 0 { // nor of this
		name := r.text()
		p := fl.Lanes[name]
		p.Past = r.ascending()
		fl.Lanes[name] = p
	}
	if r.bad {
		return 0, fl, errTorn
	}
	return generation, fl, nil
}

// varints reads numbers until the data is used up or makes no sense.
type varints struct {
	data []byte
	bad  bool
}

func (r *varints) next() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[size:]
	return n
}

// count reads how many things follow, of at least one byte each.
func (r *varints) count() uint64 {
	n := r.next()
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return 0
	}
	return n
}

func (r *varints) text() string {
	n := r.count()
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}

func (r *varints) ascending() []uint64 {
	var numbers []uint64
	last := uint64(0)
	for range r.count() {
		last += r.next()
		numbers = append(numbers, last)
	}
	return numbers
}
