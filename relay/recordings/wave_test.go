package recordings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// pcm is the format chunk of 16 bit stereo at 8 kHz.
var pcm = []byte{1, 0, 2, 0, 0x40, 0x1f, 0, 0, 0, 0x7d, 0, 0, 4, 0, 16, 0}

// chunk writes one chunk, with its pad byte; size overrides the true one
// unless it is negative.
func chunk(id string, body []byte, size int64) []byte {
	if size < 0 {
		size = int64(len(body))
	}
	b := append(binary.LittleEndian.AppendUint32([]byte(id), uint32(size)), body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// riff writes a file of chunks; size overrides the true one unless it is
// negative.
func riff(id string, size int64, chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	if size < 0 {
		size = int64(len(body))
	}
	return append(binary.LittleEndian.AppendUint32([]byte(id), uint32(size)), body...)
}

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
		{"one byte short", longFile{whole, 443}, errUnfinished, 400},
		{"more than it says", longFile{whole, 448}, errUnfinished, 400},
		{"odd, with its pad byte", longFile{odd, 444}, nil, 399},
		{"odd, pad byte counted and not written", longFile{odd, 443}, nil, 399},
		{"odd, pad byte written and not counted", longFile{riff("RIFF", 435, format, chunk("data", audio[:399], -1)), 444}, nil, 399},
		{"LIST before the audio", longFile{riff("RIFF", -1, list, format, chunk("data", audio, -1)), 470}, nil, 400},
		{"LIST between", longFile{riff("RIFF", -1, format, list, chunk("data", audio, -1)), 470}, nil, 400},
		{"LIST behind", longFile{riff("RIFF", -1, format, chunk("data", audio, -1), list), 470}, nil, 400},
		{"LIST behind, not all of it", longFile{riff("RIFF", -1, format, chunk("data", audio, -1), list), 460}, errUnfinished, 400},
		{"LIST behind, RIFF without it", longFile{riff("RIFF", 436, format, chunk("data", audio, -1), list), 470}, errUnfinished, 400},
		{"audio size 0", longFile{riff("RIFF", -1, format, chunk("data", audio, 0)), 444}, errUnfinished, 0},
		{"both sizes 0", longFile{riff("RIFF", 0, format, chunk("data", audio, 0)), 444}, errUnfinished, 0},
		{"audio size all ones", longFile{riff("RIFF", -1, format, chunk("data", audio, unknownSize)), 444}, errUnfinished, 0},
		{"RIFF size 0", longFile{riff("RIFF", 0, format, chunk("data", audio, -1)), 444}, errUnfinished, 400},
		{"RIFF size all ones", longFile{riff("RIFF", unknownSize, format, chunk("data", audio, -1)), 444}, errUnfinished, 400},
		{"no audio", longFile{riff("RIFF", -1, format, chunk("data", nil, -1)), 44}, errUnfinished, 0},
		{"no audio chunk yet", longFile{riff("RIFF", -1, format), 36}, errUnfinished, 0},
		{"RIFF that ends within the audio", longFile{riff("RIFF", 200, format, chunk("data", audio, -1)), 208}, errUnfinished, 400},
		{"RF64, small", longFile{riff("RF64", unknownSize, ds64(472, 400), format, chunk("data", audio, unknownSize)), 480}, nil, 400},
		{"RF64, 5 GiB", long("RF64", unknownSize, unknownSize, 5*gib, ds64(5*gib+72, 5*gib)), nil, 5 * gib},
		{"RF64, growing", long("RF64", unknownSize, unknownSize, 4*gib, ds64(5*gib+72, 5*gib)), errUnfinished, 5 * gib},
		{"RF64, unfinished", long("RF64", unknownSize, unknownSize, 5*gib, ds64(0, 0)), errUnfinished, 0},
		{"RF64 with an absurd size", long("RF64", unknownSize, unknownSize, 5*gib, ds64(-1, -1)), errNotWave, 0},
		{"RIFF, 3 GiB", long("RIFF", 3*gib+36, 3*gib, 3*gib), nil, 3 * gib},
		{"RIFF, 5 GiB in fields that are too small", long("RIFF", gib+36, gib, 5*gib), nil, 5 * gib},
		{"RIFF, 5 GiB, unfinished", long("RIFF", 0, 0, 5*gib), errUnfinished, 0},
		{"no format", longFile{riff("RIFF", -1, chunk("data", audio, -1)), 420}, errNotWave, 0},
		{"format too short", longFile{riff("RIFF", -1, chunk("fmt ", pcm[:14], -1), chunk("data", audio, -1)), 442}, errNotWave, 0},
		{"format without channels", longFile{riff("RIFF", -1, chunk("fmt ", make([]byte, 16), -1), chunk("data", audio, -1)), 444}, errNotWave, 0},
		{"big endian", longFile{riff("RIFX", -1, format, chunk("data", audio, -1)), 444}, errNotWave, 0},
		{"empty", longFile{nil, 0}, errNotWave, 0},
		{"a text", longFile{[]byte("RIFFs are what rock is made of"), 30}, errNotWave, 0},
		{"chunks without end", longFile{riff("RIFF", -1, bytes.Repeat(chunk("JUNK", nil, -1), 100)), 812}, errNotWave, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := readWave(test.file, test.file.size)
			if !errors.Is(err, test.want) || w.dataSize != test.size {
				t.Errorf("readWave = %d bytes of audio, %v, want %d, %v", w.dataSize, err, test.size, test.want)
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
		{"crash.wav", 1, 0, errUnfinished},
	} {
		data := testFile(t, test.name)
		w, err := readWave(bytes.NewReader(data), int64(len(data)))
		if !errors.Is(err, test.want) || w.channels != test.channels || w.seconds(w.dataSize) != test.seconds {
			t.Errorf("readWave(%s) = %d channels, %v s, %v, want %d, %v s, %v",
				test.name, w.channels, w.seconds(w.dataSize), err, test.channels, test.seconds, test.want)
		}
	}
}

func TestHeaderForIsReadBack(t *testing.T) {
	mulaw := bytes.Clone(pcm)
	mulaw[0], mulaw[12] = codecMuLaw, 2
	extensible := append(bytes.Clone(pcm), 22, 0, 16, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71)
	extensible[0], extensible[1] = 0xfe, 0xff
	for _, format := range [][]byte{pcm, append(bytes.Clone(mulaw), 0, 0), extensible, append(bytes.Clone(mulaw), 1, 0, 7)} {
		for _, n := range []int64{4, 7, 400, 1<<32 - 40, 1 << 32, 1 << 40} {
			w := wave{format: format}
			if err := w.parseFormat(); err != nil {
				t.Fatal(err)
			}
			head := w.headerFor(n)
			got, err := readWave(longFile{head, int64(len(head)) + n + n&1}, int64(len(head))+n+n&1)
			if err != nil || got.dataSize != n || got.dataAt != int64(len(head)) || !bytes.Equal(got.format, format) {
				t.Errorf("header for %d bytes is read as %d bytes at %d, %v", n, got.dataSize, got.dataAt, err)
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
		w, err := readWave(longFile{head, size}, size)
		if err != nil {
			return
		}
		if w.dataAt+w.dataSize > size || w.dataSize <= 0 || w.block <= 0 || w.seconds(w.dataSize) < 0 {
			t.Errorf("complete with %d bytes at %d in a file of %d", w.dataSize, w.dataAt, size)
		}
		if h := w.headerFor(w.dataSize); len(h) > len(head)+64 {
			t.Errorf("header of %d bytes made from one of %d", len(h), len(head))
		}
	})
}
