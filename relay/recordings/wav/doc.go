// Package wav reads the headers of WAV files that a call server is still writing
// or has never finished, and makes headers for parts of them.
//
// It knows RIFF, RIFX, RF64 and BW64, sizes that wrapped at 4 GiB or were never
// known, and audio without a header. It decodes no audio: a part is cut at blocks,
// as its bytes are. What a header says is believed only as far as the file's size
// agrees with it.
package wav
