package wav

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// Codecs of files that can be cut at every block.
const (
	PCM        = 1
	msADPCM    = 2
	Float      = 3
	ALaw       = 6
	MuLaw      = 7
	imaADPCM   = 0x11
	GSM        = 0x31
	extensible = 0xFFFE
)

const (
	maxChunks   = 64      // looked at before the audio is found
	maxFormat   = 1 << 12 // bytes of a format chunk
	unknownSize = math.MaxUint32
	unknownNear = 1 << 16 // writers to a pipe say 4 GiB or 2 GiB, less the header or a page
)

// Sizes is how far the header and its file agree of how long both are.
type Sizes int

// What is not [Agree] is taken from the file.
const (
	Agree  Sizes = iota // give or take a pad byte
	Differ              // the header does not know, is wrong by little, or there is more behind the audio
	Unset               // the header says 0, as that of a recording in progress; there is audio all the same
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
	Block    int  // bytes of one frame
	perBlock int  // frames, and so samples of each channel: 1 unless they are compressed
	big      bool // endian

	DataAt, DataSize int64
	Sizes            Sizes
}

// Raw is the wave of n bytes without a header, 16 bit little endian.
func Raw(rate, channels int, n int64) Info {
	w := Info{codec: PCM, Channels: channels, Rate: rate, byteRate: 2 * channels * rate, Block: 2 * channels, perBlock: 1}
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
// or ErrUnfinished, also when there is less audio than the header says, or that
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
	if !Begins(head[:]) {
		return Info{}, ErrNotWAV
	}
	h := header{r: &r, size: size, wave: Info{big: string(head[:4]) == "RIFX"}}
	h.riff = int64(h.wave.order().Uint32(head[4:]))
	return h.read()
}

// Begins reports whether a file that begins so is WAV, whatever its name.
func Begins(head []byte) bool {
	if len(head) < 12 || string(head[8:12]) != "WAVE" {
		return false
	}
	switch string(head[:4]) {
	case "RIFF", "RIFX", "RF64", "BW64":
		return true
	}
	return false
}

// byteOrder reads and writes numbers.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func (w Info) order() byteOrder {
	if w.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// Seconds is the length of n bytes of the audio, 0 when the header does not
// tell.
func (w Info) Seconds(n int64) float64 {
	switch {
	case w.Cuttable():
		return float64(w.frames(n)) / float64(w.Rate)
	case w.byteRate > 0:
		return float64(n) / float64(w.byteRate)
	}
	return 0
}

func (w Info) frames(n int64) int64 { return n / int64(w.Block) * int64(w.perBlock) }

// Cuttable reports whether the audio is blocks of equal size and length.
func (w Info) Cuttable() bool { return w.perBlock > 0 }

// BlockAt is the block that begins nearest to a moment, at most the last one's end.
func (w Info) BlockAt(seconds float64, blocks int64) int64 {
	return int64(min(math.Round(seconds*float64(w.Rate)/float64(w.perBlock)), float64(blocks)))
}

// Headless reports whether the wave's header is not in its file.
func (w Info) Headless() bool { return w.Format != nil && w.DataAt == 0 }

// header is the walk through the chunks of a file, up to its audio.
type header struct {
	r    io.ReaderAt
	size int64 // of the file

	riff, data int64 // sizes as the RIFF and ds64 chunks say
	wide       bool  // there is such a chunk
	wave       Info
}

func (h *header) read() (Info, error) {
	at := int64(12)
	for range maxChunks {
		var head [8]byte
		if err := readFull(h.r, head[:], at); err != nil {
			return Info{}, err
		}
		id, n := string(head[:4]), int64(h.wave.order().Uint32(head[4:]))
		at += int64(len(head))
		if id == "data" {
			h.wave.DataAt = at
			return h.wave, h.settle(n)
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
		return h.widen(at)
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

// widen takes the sizes of RF64, whose own fields are too small.
func (h *header) widen(at int64) error {
	var sizes [16]byte
	if err := readFull(h.r, sizes[:], at); err != nil {
		return err
	}
	riff, data := binary.LittleEndian.Uint64(sizes[:]), binary.LittleEndian.Uint64(sizes[8:])
	if riff > math.MaxInt64/2 || data > math.MaxInt64/2 {
		return ErrNotWAV
	}
	h.riff, h.data, h.wide = int64(riff), int64(data), true
	return nil
}

func (w *Info) parseFormat() error {
	f := w.Format
	number := func(at int) int { return int(w.order().Uint16(f[at:])) }
	w.codec = number(0)
	if w.codec == extensible && len(f) >= 26 {
		w.codec = number(24)
	}
	w.Channels, w.Rate, w.byteRate, w.Block = number(2), int(w.order().Uint32(f[4:])), int(w.order().Uint32(f[8:])), number(12)
	if w.Block == 0 {
		w.Block = w.Channels * ((number(14) + 7) / 8)
	}
	switch w.codec {
	case PCM, Float, ALaw, MuLaw:
		w.perBlock = 1
	case GSM, imaADPCM, msADPCM:
		if len(f) >= 20 {
			w.perBlock = number(18)
		}
	}
	if w.Channels == 0 || w.Rate == 0 || w.Block == 0 {
		return ErrNotWAV
	}
	return nil
}

// settle finds the size of the audio, of which the data chunk says n, and
// how far the header and the file agree. It is an error when less is there than
// the header says, but for a writer that counted the header, too.
func (h *header) settle(n int64) error {
	w, rest := &h.wave, h.size-h.wave.DataAt
	wide := h.wide && n == unknownSize
	if wide {
		n = h.data
	}
	missing := h.riff + 8 - h.size
	exact := missing >= -1 && missing <= 1
	switch {
	case w.Format == nil:
		return ErrNotWAV
	case rest <= 0 || n == 0 && exact: // a header alone, or with a tag
		return ErrUnfinished
	case h.wrapped(n):
		w.DataSize = rest
	case n == 0:
		w.DataSize, w.Sizes = rest, Unset
	case n > rest && n-rest > w.DataAt && (wide || !unknown(n)):
		return ErrUnfinished
	case n > rest || h.size > unknownSize && !wide: // which no RIFF can say
		w.DataSize, w.Sizes = rest, Differ
	case !exact || h.riff+9 < w.DataAt+n:
		w.DataSize, w.Sizes = n, Differ
	default:
		w.DataSize = n
	}
	return nil
}

// unknown reports whether a size is what writers say that cannot know it.
func unknown(n int64) bool {
	return n >= 1<<31-unknownNear && n <= 1<<31 || n >= 1<<32-unknownNear
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
		fact = w.order().AppendUint32(w.sized("fact", 4), uint32(min(w.frames(n), unknownSize)))
	}
	format := append(w.sized("fmt ", int64(len(w.Format))), w.Format...)
	if len(format)%2 == 1 {
		format = append(format, 0)
	}
	riff := int64(4+len(format)+len(fact)+8) + n + n&1
	if riff < unknownSize {
		id := "RIFF"
		if w.big {
			id = "RIFX"
		}
		h := append(w.sized(id, riff), "WAVE"...)
		return append(append(append(h, format...), fact...), w.sized("data", n)...)
	}
	h := append(w.sized("RF64", unknownSize), "WAVE"...)
	h = append(append(append(h, w.wideSizes(riff, n)...), format...), fact...)
	return append(h, w.sized("data", unknownSize)...)
}

// wideSizes is the ds64 chunk of a file that needs one.
func (w Info) wideSizes(riff, n int64) []byte {
	const body = 28 // two sizes, the sample count, and an empty table
	b := w.sized("ds64", body)
	b = binary.LittleEndian.AppendUint64(b, uint64(riff+8+body))
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	b = binary.LittleEndian.AppendUint64(b, uint64(w.frames(n)))
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

func (w Info) sized(id string, n int64) []byte { return w.order().AppendUint32([]byte(id), uint32(n)) }

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
