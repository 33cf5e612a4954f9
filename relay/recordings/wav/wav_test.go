package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
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

	adpcm := chunk("fmt ", []byte{0x11, 0, 1, 0, 0x40, 0x1f, 0, 0, 0xd7, 0x0f, 0, 0, 0, 1, 4, 0, 2, 0, 0xf9, 1}, -1)
	noBlock := bytes.Clone(pcm)
	noBlock[12] = 0

	for _, test := range []struct {
		name  string
		file  longFile
		want  error
		size  int64
		sizes Sizes
	}{
		{"complete", longFile{whole, 444}, nil, 400, Agree},
		{"one byte short", longFile{whole, 443}, nil, 399, Differ},
		{"short by more than a header", longFile{whole, 399}, ErrUnfinished, 0, Agree},
		{"more than it says", longFile{whole, 448}, nil, 400, Differ},
		{"a tag behind", longFile{append(bytes.Clone(whole), "TAGtitle"...), 444 + 128}, nil, 400, Differ},
		{"odd, with its pad byte", longFile{odd, 444}, nil, 399, Agree},
		{"odd, pad byte counted and not written", longFile{odd, 443}, nil, 399, Agree},
		{"odd, pad byte written and not counted", longFile{riff("RIFF", 435, format, chunk("data", audio[:399], -1)), 444}, nil, 399, Agree},
		{"LIST before the audio", longFile{riff("RIFF", -1, list, format, chunk("data", audio, -1)), 470}, nil, 400, Agree},
		{"LIST between", longFile{riff("RIFF", -1, format, list, chunk("data", audio, -1)), 470}, nil, 400, Agree},
		{"LIST behind", longFile{riff("RIFF", -1, format, chunk("data", audio, -1), list), 470}, nil, 400, Agree},
		{"LIST behind, not all of it", longFile{riff("RIFF", -1, format, chunk("data", audio, -1), list), 460}, nil, 400, Differ},
		{"LIST behind, RIFF without it", longFile{riff("RIFF", 436, format, chunk("data", audio, -1), list), 470}, nil, 400, Differ},
		{"audio size 0, as it should be", longFile{riff("RIFF", -1, format, chunk("data", audio, 0)), 444}, ErrUnfinished, 0, Agree},
		{"both sizes 0", longFile{riff("RIFF", 0, format, chunk("data", audio, 0)), 444}, nil, 400, Unset},
		{"RIFF size of a header, audio size 0", longFile{riff("RIFF", 36, format, chunk("data", audio, 0)), 444}, nil, 400, Unset},
		{"audio size all ones", longFile{riff("RIFF", -1, format, chunk("data", audio, unknownSize)), 444}, nil, 400, Differ},
		{"both sizes all ones", longFile{riff("RIFF", unknownSize, format, chunk("data", audio, unknownSize)), 444}, nil, 400, Differ},
		{"all ones, less the header", longFile{riff("RIFF", unknownSize, format, chunk("data", audio, unknownSize-36)), 444}, nil, 400, Differ},
		{"audio size 2 GiB, less one", longFile{riff("RIFF", -1, format, chunk("data", audio, 1<<31-1)), 444}, nil, 400, Differ},
		{"audio size 2 GiB, less a page", longFile{riff("RIFF", 1<<31-4096+36, format, chunk("data", audio, 1<<31-4096)), 444}, nil, 400, Differ},
		{"2 GiB of which little is there", longFile{riff("RIFF", 2000<<20+36, format, chunk("data", audio, 2000<<20)), 444}, ErrUnfinished, 0, Agree},
		{"RIFF size 0", longFile{riff("RIFF", 0, format, chunk("data", audio, -1)), 444}, nil, 400, Differ},
		{"RIFF size all ones", longFile{riff("RIFF", unknownSize, format, chunk("data", audio, -1)), 444}, nil, 400, Differ},
		{"RIFF size of the file", longFile{riff("RIFF", 444, format, chunk("data", audio, -1)), 444}, nil, 400, Differ},
		{"RIFF size of the audio", longFile{riff("RIFF", 400, format, chunk("data", audio, -1)), 444}, nil, 400, Differ},
		{"audio size of the file", longFile{riff("RIFF", -1, format, chunk("data", audio, 444)), 444}, nil, 400, Differ},
		{"audio 16 bytes too long", longFile{riff("RIFF", -1, format, chunk("data", audio, 416)), 444}, nil, 400, Differ},
		{"no audio", longFile{riff("RIFF", -1, format, chunk("data", nil, -1)), 44}, ErrUnfinished, 0, Agree},
		{"no audio, sizes 0", longFile{riff("RIFF", 0, format, chunk("data", nil, -1)), 44}, ErrUnfinished, 0, Agree},
		{"no audio, sizes all ones", longFile{riff("RIFF", unknownSize, format, chunk("data", nil, unknownSize)), 44}, ErrUnfinished, 0, Agree},
		{"no audio and a tag", longFile{riff("RIFF", -1, format, chunk("data", nil, -1), list), 70}, ErrUnfinished, 0, Agree},
		{"no audio chunk yet", longFile{riff("RIFF", -1, format), 36}, ErrUnfinished, 0, Agree},
		{"header cut in its format", longFile{whole[:30], 30}, ErrUnfinished, 0, Agree},
		{"header cut in its name", longFile{whole[:10], 10}, ErrNotWAV, 0, Agree},
		{"RIFF that ends within the audio", longFile{riff("RIFF", 200, format, chunk("data", audio, -1)), 444}, nil, 400, Differ},
		{"RF64, small", longFile{riff("RF64", unknownSize, ds64(472, 400), format, chunk("data", audio, unknownSize)), 480}, nil, 400, Agree},
		{"RF64, 5 GiB", long("RF64", unknownSize, unknownSize, 5*gib, ds64(5*gib+72, 5*gib)), nil, 5 * gib, Agree},
		{"RF64, growing", long("RF64", unknownSize, unknownSize, 4*gib, ds64(5*gib+72, 5*gib)), ErrUnfinished, 0, Agree},
		{"RF64, unfinished", long("RF64", unknownSize, unknownSize, 5*gib, ds64(0, 0)), nil, 5 * gib, Unset},
		{"RF64 with an absurd size", long("RF64", unknownSize, unknownSize, 5*gib, ds64(-1, -1)), ErrNotWAV, 0, Agree},
		{"RIFF, 3 GiB", long("RIFF", 3*gib+36, 3*gib, 3*gib), nil, 3 * gib, Agree},
		{"RIFF, 3 GiB, of which the half is there", long("RIFF", 3*gib+36, 3*gib, gib), ErrUnfinished, 0, Agree},
		{"RIFF, 5 GiB in fields that are too small", long("RIFF", gib+36, gib, 5*gib), nil, 5 * gib, Agree},
		{"RIFF, 5 GiB in full fields", long("RIFF", unknownSize, unknownSize, 5*gib), nil, 5 * gib, Differ},
		{"RIFF, 5 GiB in clamped fields", long("RIFF", 1<<31-1, 1<<31-37, 5*gib), nil, 5 * gib, Differ},
		{"RIFF, 5 GiB, unfinished", long("RIFF", 0, 0, 5*gib), nil, 5 * gib, Unset},
		{"no format", longFile{riff("RIFF", -1, chunk("data", audio, -1)), 420}, ErrNotWAV, 0, Agree},
		{"format too short", longFile{riff("RIFF", -1, chunk("fmt ", pcm[:14], -1), chunk("data", audio, -1)), 442}, ErrNotWAV, 0, Agree},
		{"format without channels", longFile{riff("RIFF", -1, chunk("fmt ", make([]byte, 16), -1), chunk("data", audio, -1)), 444}, ErrNotWAV, 0, Agree},
		{"format without the size of a frame", longFile{riff("RIFF", -1, chunk("fmt ", noBlock, -1), chunk("data", audio, -1)), 444}, nil, 400, Agree},
		{"IMA ADPCM", longFile{riff("RIFF", -1, adpcm, chunk("data", audio, -1)), 448}, nil, 400, Agree},
		{"big endian", longFile{rifx(whole), 444}, nil, 400, Agree},
		{"big endian, sizes not known", longFile{rifx(riff("RIFF", unknownSize, format, chunk("data", audio, unknownSize))), 444}, nil, 400, Differ},
		{"empty", longFile{nil, 0}, ErrNotWAV, 0, Agree},
		{"a text", longFile{[]byte("RIFFs are what rock is made of"), 30}, ErrNotWAV, 0, Agree},
		{"chunks without end", longFile{riff("RIFF", -1, bytes.Repeat(chunk("JUNK", nil, -1), 100)), 812}, ErrNotWAV, 0, Agree},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := Read(test.file, test.file.size)
			if !errors.Is(err, test.want) || w.DataSize != test.size || w.Sizes != test.sizes {
				t.Errorf("Read = %d bytes of audio, sizes %d, %v, want %d, %d, %v", w.DataSize, w.Sizes, err, test.size, test.sizes, test.want)
			}
		})
	}
}

// rifx turns the numbers of a file of 44 bytes of header round.
func rifx(file []byte) []byte {
	b := bytes.Clone(file)
	copy(b, "RIFX")
	for at, n := range map[int]int{4: 4, 16: 4, 20: 2, 22: 2, 24: 4, 28: 4, 32: 2, 34: 2, 40: 4} {
		slices.Reverse(b[at : at+n])
	}
	return b
}

// TestParts cuts the files whose blocks hold more than one sample, or whose
// numbers are the other way round.
func TestParts(t *testing.T) {
	gsm := []byte{0x31, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x59, 6, 0, 0, 65, 0, 0, 0, 2, 0, 0x40, 1}
	for _, test := range []struct {
		name        string
		file        []byte
		seconds     float64
		from, block int64
	}{
		{"GSM", riff("RIFF", -1, chunk("fmt ", gsm, -1), chunk("data", make([]byte, 6500), -1)), 4, 25, 65},
		{"big endian", rifx(riff("RIFF", -1, chunk("fmt ", pcm, -1), chunk("data", make([]byte, 64000), -1))), 2, 8000, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := Read(bytes.NewReader(test.file), int64(len(test.file)))
			if err != nil || !w.Cuttable() || w.Seconds(w.DataSize) != test.seconds || w.BlockAt(1, 1<<20) != test.from {
				t.Fatalf("Read = %+v, %v", w, err)
			}
			n := test.from * test.block
			part := append(w.HeaderFor(n), make([]byte, n+n&1)...)
			got, err := Read(bytes.NewReader(part), int64(len(part)))
			if err != nil || got.Sizes != Agree || got.Seconds(got.DataSize) != 1 || !bytes.Equal(got.Format, w.Format) {
				t.Errorf("part = %+v, %v, want 1 s", got, err)
			}
		})
	}
}

func TestReadWaveOfACallServer(t *testing.T) {
	crashed := float64(len(testFile(t, "crash.wav"))-44) / 16000
	for _, test := range []struct {
		name     string
		channels int
		seconds  float64
		want     error
	}{
		{"mono.wav", 1, 3, nil},
		{"stereo.wav", 2, 4, nil},
		{"crash.wav", 1, crashed, nil},
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
