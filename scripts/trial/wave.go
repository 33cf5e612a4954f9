package trial

import "encoding/binary"

// WaveRate is how many samples a second the files of [Wave] have.
const WaveRate = 8000

// WaveHeader is how many bytes stand before their audio.
const WaveHeader = 44

// Wave returns a WAV file of so many 16 bit samples, one channel, no two alike that are near each other.
func Wave(samples int) []byte {
	n := uint32(2 * samples)
	b := binary.LittleEndian.AppendUint32([]byte("RIFF"), WaveHeader-8+n)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint32(b, WaveRate)
	b = binary.LittleEndian.AppendUint32(b, 2*WaveRate)
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, n)
	for i := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(i))
	}
	return b
}
