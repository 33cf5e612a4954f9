package wav

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// Codecs of files that can be cut at every frame.
const (
	PCM        = 1
	Float      = 3
	ALaw       = 6
	MuLaw      = 7
	extensible = 0xFFFE
)

const (
	maxChunks   = 64      // looked at before the audio is found
	maxFormat   = 1 << 12 // bytes of a format chunk
	unknownSize = math.MaxUint32
)

// Errors of [Read].
var (
	ErrNotWAV     = errors.New("not a WAV file")
	ErrUnfinished = errors.New("WAV file is unfinished")
)

// Info is what the header of a WAV file says of it.
type Info struct {
	Format   []byte // the format chunk, as it is
	codec    int
	Channels int
	Rate     int // samples per second
	byteRate int
	Block    int // bytes of one frame

	DataAt, DataSize int64
}

// Raw is the wave of n bytes without a header, 16 bit little endian.
func Raw(rate, channels int, n int64) Info {
	w := Info{codec: PCM, Channels: channels, Rate: rate, byteRate: 2 * channels * rate, Block: 2 * channels}
	f := binary.LittleEndian.AppendUint16(nil, PCM)
	f = binary.LittleEndian.AppendUint16(f, uint16(channels))
	f = binary.LittleEndian.AppendUint32(f, uint32(rate))
	f = binary.LittleEndian.AppendUint32(f, uint32(w.byteRate))
	f = binary.LittleEndian.AppendUint16(f, uint16(w.Block))
	w.Format = binary.LittleEndian.AppendUint16(f, 16)
	w.DataSize = n - n%int64(w.Block)
	return w
}

// Read reads the header of a file of size bytes. The error is ErrNotWAV
// or ErrUnfinished, also for sizes that do not agree with the file's, or that
// of the reader.
func Read(file io.ReaderAt, size int64) (Info, error) {
	r := beginning{file: file}
	n, err := file.ReadAt(r.bytes[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Info{}, err
	}
	r.n = int64(n)
	var head [12]byte
	err = readFull(&r, head[:], 0)
	if errors.Is(err, ErrUnfinished) {
		return Info{}, ErrNotWAV
	}
	if err != nil {
		return Info{}, err
	}
	if id := string(head[:4]); id != "RIFF" && id != "RF64" && id != "BW64" || string(head[8:]) != "WAVE" {
		return Info{}, ErrNotWAV
	}
	h := header{r: &r, size: size, riff: int64(le32(head[4:]))}
	return h.read()
}

// Seconds is the length of n bytes of the audio, 0 when the header does not
// tell.
func (w Info) Seconds(n int64) float64 {
	switch {
	case w.Cuttable():
		return float64(n/int64(w.Block)) / float64(w.Rate)
	case w.byteRate > 0:
		return float64(n) / float64(w.byteRate)
	}
	return 0
}

// Cuttable reports whether the audio is frames of equal size.
func (w Info) Cuttable() bool {
	switch w.codec {
	case PCM, Float, ALaw, MuLaw:
		return true
	}
	return false
}

// Frame is the frame nearest to a moment, at most the last one's end.
func (w Info) Frame(seconds float64, frames int64) int64 {
	return int64(min(math.Round(seconds*float64(w.Rate)), float64(frames)))
}

// Headless reports whether the wave's header is not in its file.
func (w Info) Headless() bool { return w.Format != nil && w.DataAt == 0 }

// header is the walk through the chunks of a file, up to its audio.
type header struct {
	r    io.ReaderAt
	size int64 // of the file

	riff, data int64 // sizes as the RIFF and ds64 chunks say
	wave       Info
}

func (h *header) read() (Info, error) {
	at := int64(12)
	for range maxChunks {
		var head [8]byte
		if err := readFull(h.r, head[:], at); err != nil {
			return Info{}, err
		}
		id, n := string(head[:4]), int64(le32(head[4:]))
		at += int64(len(head))
		if id == "data" {
			h.wave.DataAt = at
			return h.wave, h.agree(n)
		}
		if err := h.chunk(id, at, n); err != nil {
			return Info{}, err
		}
		at += n + n&1
	}
	return Info{}, ErrNotWAV
}

func (h *header) chunk(id string, at, n int64) error {
	switch {
	case id == "ds64":
		return h.wide(at)
	case id == "fmt " && (n < 16 || n > maxFormat):
		return ErrNotWAV
	case id == "fmt ":
		h.wave.Format = make([]byte, n)
		if err := readFull(h.r, h.wave.Format, at); err != nil {
			return err
		}
		return h.wave.parseFormat()
	}
	return nil
}

// wide takes the sizes of RF64, whose own fields are too small.
func (h *header) wide(at int64) error {
	var sizes [16]byte
	if err := readFull(h.r, sizes[:], at); err != nil {
		return err
	}
	riff, data := binary.LittleEndian.Uint64(sizes[:]), binary.LittleEndian.Uint64(sizes[8:])
	if riff > math.MaxInt64/2 || data > math.MaxInt64/2 {
		return ErrNotWAV
	}
	h.riff, h.data = int64(riff), int64(data)
	return nil
}

func (w *Info) parseFormat() error {
	f := w.Format
	w.codec = int(binary.LittleEndian.Uint16(f))
	if w.codec == extensible && len(f) >= 26 {
		w.codec = int(binary.LittleEndian.Uint16(f[24:]))
	}
	w.Channels = int(binary.LittleEndian.Uint16(f[2:]))
	w.Rate = int(le32(f[4:]))
	w.byteRate = int(le32(f[8:]))
	w.Block = int(binary.LittleEndian.Uint16(f[12:]))
	if w.Channels == 0 || w.Rate == 0 || w.Block == 0 {
		return ErrNotWAV
	}
	return nil
}

// agree settles the size of the audio, of which the data chunk says n, and
// reports whether all of it is there: the file is as long as the header says,
// give or take the pad byte that some writers forget and others do not count.
func (h *header) agree(n int64) error {
	switch {
	case h.wave.Format == nil:
		return ErrNotWAV
	case n == unknownSize:
		n = h.data
	case h.wrapped(n):
		n = h.size - h.wave.DataAt
		h.riff = h.size - 8
	}
	h.wave.DataSize = n
	missing := h.riff + 8 - h.size
	if n == 0 || h.wave.DataAt+n > h.size || h.riff+9 < h.wave.DataAt+n || missing < -1 || missing > 1 {
		return ErrUnfinished
	}
	return nil
}

// wrapped reports whether both sizes are the true ones modulo 4 GiB, which is
// what a writer leaves behind that knows nothing of RF64.
func (h *header) wrapped(n int64) bool {
	return h.size > unknownSize && int64(uint32(h.size-h.wave.DataAt)) == n && int64(uint32(h.size-8)) == h.riff
}

// HeaderFor returns what stands before n bytes of this audio in a WAV file of
// its own, in RF64 where the sizes ask for it.
func (w Info) HeaderFor(n int64) []byte {
	var fact []byte
	if w.codec != PCM {
		fact = binary.LittleEndian.AppendUint32([]byte("fact\x04\x00\x00\x00"), uint32(min(n/int64(w.Block), unknownSize)))
	}
	format := append(binary.LittleEndian.AppendUint32([]byte("fmt "), uint32(len(w.Format))), w.Format...)
	if len(format)%2 == 1 {
		format = append(format, 0)
	}
	riff := int64(4+len(format)+len(fact)+8) + n + n&1
	if riff < unknownSize {
		h := append(sized("RIFF", riff), "WAVE"...)
		return append(append(append(h, format...), fact...), sized("data", n)...)
	}
	h := append(sized("RF64", unknownSize), "WAVE"...)
	h = append(append(append(h, w.wideSizes(riff, n)...), format...), fact...)
	return append(h, sized("data", unknownSize)...)
}

// wideSizes is the ds64 chunk of a file that needs one.
func (w Info) wideSizes(riff, n int64) []byte {
	const body = 28 // two sizes, the sample count, and an empty table
	b := sized("ds64", body)
	b = binary.LittleEndian.AppendUint64(b, uint64(riff+8+body))
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	b = binary.LittleEndian.AppendUint64(b, uint64(n/int64(w.Block)))
	return binary.LittleEndian.AppendUint32(b, 0)
}

// beginning is a file whose first bytes have been read at once, because they
// hold the header of nearly every recording.
type beginning struct {
	file  io.ReaderAt
	bytes [512]byte
	n     int64
}

// ReadAt implements [io.ReaderAt].
func (r *beginning) ReadAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) <= r.n {
		return copy(b, r.bytes[at:]), nil
	}
	return r.file.ReadAt(b, at)
}

func sized(id string, n int64) []byte { return binary.LittleEndian.AppendUint32([]byte(id), uint32(n)) }

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// readFull fills b; a file that ends before is unfinished.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == io.EOF:
		return ErrUnfinished
	}
	return err
}
