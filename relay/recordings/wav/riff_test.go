package wav

import (
	"bytes"
	"encoding/binary"
)

// pcm is the format chunk of 16 bit stereo at 8 kHz.
var pcm = []byte{1, 0, 2, 0, 0x40, 0x1f, 0, 0, 0, 0x7d, 0, 0, 4, 0, 16, 0}

// Chunk writes one chunk, with its pad byte; size overrides the true one
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

// Riff writes a file of chunks; size overrides the true one unless it is
// negative.
func riff(id string, size int64, chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	if size < 0 {
		size = int64(len(body))
	}
	return append(binary.LittleEndian.AppendUint32([]byte(id), uint32(size)), body...)
}
