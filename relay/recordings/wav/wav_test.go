package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// ds64 is the chunk of RF64 that holds the sizes.
func ds64(riff, data int64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(riff))
	b = binary.LittleEndian.AppendUint64(b, uint64(data))
	return chunk("ds64", append(b, make([]byte, 12)...), -1)
}

// longFile is a file of which only the beginning is anything.
type longFile struct {
	head []byte
	size int64
}

func (f longFile) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	n := int(min(int64(len(b)), max(0, f.size-at)))
	if at < int64(len(f.head)) {
		copy(b, f.head[at:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func TestReadWave(t *testing.T) {
	const gib = int64(1) << 30
	format, audio := chunk("fmt ", pcm, -1), make([]byte, 400)
	list := chunk("LIST", []byte("INFOISFT\x05\x00\x00\x00relay"), -1)
	whole := riff("RIFF", -1, format, chunk("data", audio, -1))
	odd := riff("RIFF", -1, format, chunk("data", audio[:399], -1))
	long := func(id string, riffSize, dataSize, n int64, more ...[]byte) longFile {
		head := riff(id, riffSize, append(more, format, chunk("data", nil, dataSize))...)
		return longFile{head, int64(len(head)) + n}
	}

	for _, test := range []struct {
		name string
		file longFile
		want error
		size int64
	}{
		{"complete", longFile{whole, 444}, nil, 400},
		{"one byte short", longFile{whole, 443}, ErrUnfinished, 400},
		{"more than it says", longFile{whole, 448}, ErrUnfinished, 400},
		{"odd, with its pad byte", longFile{odd, 444}, nil, 399},
		{"odd, pad byte counted and not written", longFile{odd, 443}, nil, 399},
		{"odd, pad byte written and not counted", longFile{riff("RIFF", 435, format, chunk("data", audio[:399], -1)), 444}, nil, 399},
		{"LIST before the audio", longFile{riff("RIFF", -1, list, format, chunk("data", audio, -1)), 470}, nil, 400},
		{"LIST between", longFile{riff("RIFF", -1, format, list, chunk("data", audio, -1)), 470}, nil, 400},
		{"LIST behind", longFile{riff("RIFF", -1, format, chunk("data", audio, -1), list), 470}, nil, 400},
		{"LIST behind, not all of it", longFile{riff("RIFF", -1, format, chunk("data", audio, -1), list), 460}, ErrUnfinished, 400},
		{"LIST behind, RIFF without it", longFile{riff("RIFF", 436, format, chunk("data", audio, -1), list), 470}, ErrUnfinished, 400},
		{"audio size 0", longFile{riff("RIFF", -1, format, chunk("data", audio, 0)), 444}, ErrUnfinished, 0},
		{"both sizes 0", longFile{riff("RIFF", 0, format, chunk("data", audio, 0)), 444}, ErrUnfinished, 0},
		{"audio size all ones", longFile{riff("RIFF", -1, format, chunk("data", audio, unknownSize)), 444}, ErrUnfinished, 0},
		{"RIFF size 0", longFile{riff("RIFF", 0, format, chunk("data", audio, -1)), 444}, ErrUnfinished, 400},
		{"RIFF size all ones", longFile{riff("RIFF", unknownSize, format, chunk("data", audio, -1)), 444}, ErrUnfinished, 400},
		{"no audio", longFile{riff("RIFF", -1, format, chunk("data", nil, -1)), 44}, ErrUnfinished, 0},
		{"no audio chunk yet", longFile{riff("RIFF", -1, format), 36}, ErrUnfinished, 0},
		{"RIFF that ends within the audio", longFile{riff("RIFF", 200, format, chunk("data", audio, -1)), 208}, ErrUnfinished, 400},
		{"RF64, small", longFile{riff("RF64", unknownSize, ds64(472, 400), format, chunk("data", audio, unknownSize)), 480}, nil, 400},
		{"RF64, 5 GiB", long("RF64", unknownSize, unknownSize, 5*gib, ds64(5*gib+72, 5*gib)), nil, 5 * gib},
		{"RF64, growing", long("RF64", unknownSize, unknownSize, 4*gib, ds64(5*gib+72, 5*gib)), ErrUnfinished, 5 * gib},
		{"RF64, unfinished", long("RF64", unknownSize, unknownSize, 5*gib, ds64(0, 0)), ErrUnfinished, 0},
		{"RF64 with an absurd size", long("RF64", unknownSize, unknownSize, 5*gib, ds64(-1, -1)), ErrNotWAV, 0},
		{"RIFF, 3 GiB", long("RIFF", 3*gib+36, 3*gib, 3*gib), nil, 3 * gib},
		{"RIFF, 5 GiB in fields that are too small", long("RIFF", gib+36, gib, 5*gib), nil, 5 * gib},
		{"RIFF, 5 GiB, unfinished", long("RIFF", 0, 0, 5*gib), ErrUnfinished, 0},
		{"no format", longFile{riff("RIFF", -1, chunk("data", audio, -1)), 420}, ErrNotWAV, 0},
		{"format too short", longFile{riff("RIFF", -1, chunk("fmt ", pcm[:14], -1), chunk("data", audio, -1)), 442}, ErrNotWAV, 0},
		{"format without channels", longFile{riff("RIFF", -1, chunk("fmt ", make([]byte, 16), -1), chunk("data", audio, -1)), 444}, ErrNotWAV, 0},
		{"big endian", longFile{riff("RIFX", -1, format, chunk("data", audio, -1)), 444}, ErrNotWAV, 0},
		{"empty", longFile{nil, 0}, ErrNotWAV, 0},
		{"a text", longFile{[]byte("RIFFs are what rock is made of"), 30}, ErrNotWAV, 0},
		{"chunks without end", longFile{riff("RIFF", -1, bytes.Repeat(chunk("JUNK", nil, -1), 100)), 812}, ErrNotWAV, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := Read(test.file, test.file.size)
			if !errors.Is(err, test.want) || w.DataSize != test.size {
				t.Errorf("Read = %d bytes of audio, %v, want %d, %v", w.DataSize, err, test.size, test.want)
			}
		})
	}
}

func TestReadWaveOfACallServer(t *testing.T) {
	for _, test := range []struct {
		name     string
		channels int
		seconds  float64
		want     error
	}{
		{"mono.wav", 1, 3, nil},
		{"stereo.wav", 2, 4, nil},
		{"crash.wav", 1, 0, ErrUnfinished},
	} {
		data := testFile(t, test.name)
		w, err := Read(bytes.NewReader(data), int64(len(data)))
		if !errors.Is(err, test.want) || w.Channels != test.channels || w.Seconds(w.DataSize) != test.seconds {
			t.Errorf("Read(%s) = %d channels, %v s, %v, want %d, %v s, %v",
				test.name, w.Channels, w.Seconds(w.DataSize), err, test.channels, test.seconds, test.want)
		}
	}
}

func TestHeaderForIsReadBack(t *testing.T) {
	mulaw := bytes.Clone(pcm)
	mulaw[0], mulaw[12] = MuLaw, 2
	extensible := append(bytes.Clone(pcm), 22, 0, 16, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71)
	extensible[0], extensible[1] = 0xfe, 0xff
	for _, format := range [][]byte{pcm, append(bytes.Clone(mulaw), 0, 0), extensible, append(bytes.Clone(mulaw), 1, 0, 7)} {
		for _, n := range []int64{4, 7, 400, 1<<32 - 40, 1 << 32, 1 << 40} {
			w := Info{Format: format}
			if err := w.parseFormat(); err != nil {
				t.Fatal(err)
			}
			head := w.HeaderFor(n)
			got, err := Read(longFile{head, int64(len(head)) + n + n&1}, int64(len(head))+n+n&1)
			if err != nil || got.DataSize != n || got.DataAt != int64(len(head)) || !bytes.Equal(got.Format, format) {
				t.Errorf("header for %d bytes is read as %d bytes at %d, %v", n, got.DataSize, got.DataAt, err)
			}
		}
	}
}

// FuzzWave reads any header: what is called complete is within the file.
func FuzzWave(f *testing.F) {
	audio := make([]byte, 40)
	f.Add(riff("RIFF", -1, chunk("fmt ", pcm, -1), chunk("data", audio, -1)), int64(0))
	f.Add(riff("RF64", unknownSize, ds64(1<<40, 1<<40), chunk("fmt ", pcm, -1), chunk("data", audio, unknownSize)), int64(1)<<40)
	f.Add(riff("RIFF", unknownSize, chunk("LIST", audio, unknownSize), chunk("fmt ", pcm, unknownSize)), int64(7))
	f.Fuzz(func(t *testing.T, head []byte, more int64) {
		size := int64(len(head)) + max(0, min(more, 1<<50))
		w, err := Read(longFile{head, size}, size)
		if err != nil {
			return
		}
		if w.DataAt+w.DataSize > size || w.DataSize <= 0 || w.Block <= 0 || w.Seconds(w.DataSize) < 0 {
			t.Errorf("complete with %d bytes at %d in a file of %d", w.DataSize, w.DataAt, size)
		}
		if h := w.HeaderFor(w.DataSize); len(h) > len(head)+64 {
			t.Errorf("header of %d bytes made from one of %d", len(h), len(head))
		}
	})
}

// testFile reads a file of a call server.
func testFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
