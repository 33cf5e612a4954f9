package recordings

import (
	"io"
	"path"
	"strings"

	"callrelay/relay/recordings/wav"
)

// kinds are the formats that recordings come in, by the ends of their names. What is
// not known as audio is never something that a browser would run. A recording
// that was converted is looked for under its name with each of the ends, in this
// order.
var kinds = []struct{ ext, mime string }{
	{".wav", waveType},
	{".WAV", waveType},
	{".wave", waveType},
	{".mp3", "audio/mpeg"},
	{".MP3", "audio/mpeg"},
	{".ogg", "audio/ogg"},
	{".opus", "audio/ogg"},
	{".oga", "audio/ogg"},
	{".flac", "audio/flac"},
	{".m4a", "audio/mp4"},
	{".mp4", "audio/mp4"},
	{".aac", "audio/aac"},
	{".amr", "audio/amr"},
	{".webm", "audio/webm"},
	{".gsm", "audio/gsm"},
	{".au", "audio/basic"},
}

const (
	waveType    = "audio/wav"
	unknownType = "application/octet-stream"
	kindBytes   = 12 // that show a format
)

// magic is what files of a format begin with.
var magic = []struct {
	at         int
	text, mime string
}{
	{0, "ID3", "audio/mpeg"},
	{0, "\xff\xfb", "audio/mpeg"},
	{0, "\xff\xfa", "audio/mpeg"},
	{0, "\xff\xf3", "audio/mpeg"},
	{0, "\xff\xf2", "audio/mpeg"},
	{0, "OggS", "audio/ogg"},
	{0, "fLaC", "audio/flac"},
	{4, "ftyp", "audio/mp4"},
	{0, "#!AMR", "audio/amr"},
	{0, ".snd", "audio/basic"},
}

// kindOf is the type of a recording: that of its name, but what begins as WAV is
// WAV whatever its name, and what is named so is what it begins as.
func kindOf(name string, file io.ReaderAt) string {
	var head [kindBytes]byte
	n, _ := file.ReadAt(head[:], 0)
	if wav.Begins(head[:n]) {
		return waveType
	}
	named := typeOf(name)
	if named != unknownType && named != waveType {
		return named
	}
	for _, m := range magic {
		if strings.HasPrefix(string(head[min(m.at, n):n]), m.text) {
			return m.mime
		}
	}
	return named
}

// typeOf is what a name promises.
func typeOf(name string) string {
	ext := strings.ToLower(path.Ext(name))
	for _, k := range kinds {
		if k.ext == ext {
			return k.mime
		}
	}
	return unknownType
}

// stemOf is a name without what shows its format. A number at its end, as of
// Asterisk's ids, does not.
func stemOf(name string) string {
	if ext := path.Ext(name); len(ext) > 1 && (ext[1] < '0' || ext[1] > '9') {
		return strings.TrimSuffix(name, ext)
	}
	return name
}

// isRaw reports whether the name is that of a headerless recording.
func isRaw(name string) bool { return strings.EqualFold(path.Ext(name), ".raw") }
