package recordings

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/relay/recordings/link"
	"callrelay/relay/recordings/wav"
)

// waveFile is a WAV file of n frames that are all different, in a codec.
func waveFile(codec, channels, rate, bytesPerSample, n int, more ...[]byte) []byte {
	w := wav.Raw(rate, channels, 0)
	format := w.Format
	format[0], format[12], format[14] = byte(codec), byte(channels*bytesPerSample), byte(8*bytesPerSample)
	audio := make([]byte, n*channels*bytesPerSample)
	for i := range audio {
		audio[i] = byte(i>>8) ^ byte(i*7)
	}
	header := w.HeaderFor(int64(len(audio))) // with the format as it is now
	file := append(header[:12:12], bytes.Join(more, nil)...)
	file = append(append(append(file, header[12:]...), audio...), make([]byte, len(audio)%2)...)
	file = append(file, "LIST\x04\x00\x00\x00INFO"...)
	binary.LittleEndian.PutUint32(file[4:], uint32(len(file)-8))
	return file
}

func TestSliceIsThePartOfTheOriginal(t *testing.T) {
	c := testConfig(t)
	c.Raw = &config.Raw{Rate: 8000, Channels: 2}
	r, _ := openTest(t, c, Options{})
	addr := serveTest(t, r)
	files := map[string][]byte{
		"call.wav":       testFile(t, "stereo.wav"),
		"mono.wav":       testFile(t, "mono.wav"),
		"call.raw":       testFile(t, "stereo.wav")[44:],
		"mulaw.wav":      waveFile(wav.MuLaw, 1, 8000, 1, 24001),
		"alaw.wav":       waveFile(wav.ALaw, 2, 8000, 1, 24001, []byte("LIST\x03\x00\x00\x00odd\x00")),
		"pcm24.wav":      waveFile(wav.PCM, 1, 44100, 3, 44101*3),
		"pcm8-odd.wav":   waveFile(wav.PCM, 1, 11025, 1, 33075),
		"float.wav":      waveFile(wav.Float, 2, 16000, 4, 48000),
		"extensible.wav": waveFile(wav.PCM, 6, 48000, 2, 48000*3),
	}
	for name, data := range files {
		putOld(t, r, name, data)
		for _, s := range []link.Slice{{Start: 1, End: 2}, {Start: 0.5}, {End: 1.25}, {Start: 1.00007, End: 2.99993}, {Start: 2.9, End: 1000}, {End: 0.0002}} {
			t.Run(name+" "+s.String(), func(t *testing.T) { checkSlice(t, r, addr, name, data, s) })
		}
	}
}

// checkSlice fetches a slice whole and in ranges.
func checkSlice(t *testing.T, r *Recordings, addr, name string, original []byte, s link.Slice) {
	t.Helper()
	raw := r.settings.Load().Raw
	whole, err := waveOf(name, bytes.NewReader(original), int64(len(original)), raw)
	if err != nil {
		t.Fatal(err)
	}
	want := cut(whole, original, s)
	end := s.End
	if end == 0 {
		end = -1
	}
	link := target(t, r.Link(name, "", time.Now(), s.Start, end))
	resp, body := ask(t, addr, "GET", link)
	checkFacts(t, r, name, s.Start, end, body)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "audio/wav" || resp.Header.Get("Etag") == "" {
		t.Fatalf("GET %s = %d, %v", link, resp.StatusCode, resp.Header)
	}
	got, err := wav.Read(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatalf("slice is no WAV file: %v", err)
	}
	if !bytes.Equal(got.Format, whole.Format) || !bytes.Equal(body[got.DataAt:got.DataAt+got.DataSize], want) {
		t.Errorf("slice has %d bytes of audio, want %d, or they are not the same", got.DataSize, len(want))
	}
	for _, step := range []int{1 + len(body)/7, 43, 50} { // some begin within the header
		if parts := inRanges(t, addr, link, len(body), step); !bytes.Equal(parts, body[:len(parts)]) {
			t.Errorf("ranges of %d bytes do not make the slice", step)
		}
	}
	if head, _ := ask(t, addr, "HEAD", link); head.ContentLength != int64(len(body)) {
		t.Errorf("HEAD says %d bytes, want %d", head.ContentLength, len(body))
	}
}

// checkFacts holds that what is known of a slice is what its link served.
func checkFacts(t *testing.T, r *Recordings, name string, start, end float64, served []byte) {
	t.Helper()
	w, err := wav.Read(bytes.NewReader(served), int64(len(served)))
	if err != nil {
		t.Fatalf("slice is no WAV file: %v", err)
	}
	seconds := float64(w.DataSize/int64(w.Block)) / float64(w.Rate)
	f := r.Look(name, start, end)
	if f.State != StateReady || f.Bytes != int64(len(served)) || f.Seconds != seconds || f.Channels != w.Channels || f.SHA256() != sum(served) {
		t.Errorf("Look = %s, %d bytes, %v s, %d channels, or another sum; served are %d bytes, %v s, %d channels",
			f.State, f.Bytes, f.Seconds, f.Channels, len(served), seconds, w.Channels)
	}
}

// cut takes the samples between two moments, frame by frame.
func cut(w wav.Info, file []byte, s link.Slice) []byte {
	var out []byte
	for i := range int(w.DataSize) / w.Block {
		at := (float64(i) + 0.5) / float64(w.Rate) // a frame belongs to the moment in its middle
		if at > s.Start && (s.End == 0 || at <= s.End) {
			from := int(w.DataAt) + i*w.Block
			out = append(out, file[from:from+w.Block]...)
		}
	}
	return out
}

// inRanges fetches the first eight ranges of so many bytes.
func inRanges(t *testing.T, addr, link string, size, step int) []byte {
	t.Helper()
	var out []byte
	for at := 0; at < min(size, 8*step); at += step {
		resp, part := ask(t, addr, "GET", link, fmt.Sprintf("Range: bytes=%d-%d", at, at+step-1))
		if resp.StatusCode != http.StatusPartialContent {
			t.Fatalf("range from %d = %d", at, resp.StatusCode)
		}
		out = append(out, part...)
	}
	return out
}

func TestNoSlice(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	addr := serveTest(t, r)
	putOld(t, r, "call.wav", testFile(t, "mono.wav")) // 3 s
	put(t, r, "crash.wav", testFile(t, "crash.wav"))
	putOld(t, r, "gsm.wav", waveFile(0x31, 1, 8000, 65, 100))
	put(t, r, "text.wav", []byte("not a WAV file at all"))
	for _, test := range []struct {
		name       string
		path       string
		start, end float64
		want       string
	}{
		{"beyond the end", "call.wav", 3, 4, StateMissing},
		{"shorter than a frame", "call.wav", 1.00001, 1.00002, StateMissing},
		{"of what may still grow", "crash.wav", 0, 1, StatePending},
		{"of a codec whose blocks it does not tell", "gsm.wav", 0, 1, StateMissing},
		{"of no WAV file", "text.wav", 0, 1, StatePending},
		{"of what is not there", "never.wav", 0, 1, StatePending},
	} {
		t.Run(test.name, func(t *testing.T) {
			if link := r.Link(test.path, "", time.Now(), test.start, test.end); link != "" {
				if resp, body := ask(t, addr, "GET", target(t, link)); resp.StatusCode != 404 {
					t.Errorf("GET %s = %d, %d bytes, want 404", link, resp.StatusCode, len(body))
				}
			}
			if f := r.Look(test.path, test.start, test.end); f.State != test.want || f.Bytes != 0 || f.SHA256() != "" {
				t.Errorf("Look = %s, %d bytes, want %s", f.State, f.Bytes, test.want)
			}
		})
	}
}

func TestHeaderlessIsServedAsWave(t *testing.T) {
	c := testConfig(t)
	c.Raw = &config.Raw{Rate: 8000, Channels: 2}
	r, _ := openTest(t, c, Options{})
	addr := serveTest(t, r)
	want := testFile(t, "stereo.wav")
	putOld(t, r, "call.raw", append(bytes.Clone(want[44:]), 1, 2, 3)) // and less than a frame
	link := target(t, r.Link("call.raw", "", time.Now(), -1, -1))
	resp, body := ask(t, addr, "GET", link)
	if !bytes.Equal(body, want) || resp.Header.Get("Content-Type") != "audio/wav" {
		t.Errorf("got %d bytes of %s, want the file with its header, %d bytes", len(body), resp.Header.Get("Content-Type"), len(want))
	}
	if _, part := ask(t, addr, "GET", link, "Range: bytes=40-59"); !bytes.Equal(part, want[40:60]) {
		t.Errorf("range = %x, want %x", part, want[40:60])
	}
	if f := r.Look("call.raw", -1, -1); f.Bytes != int64(len(want)) || f.Channels != 2 || f.Seconds != 4 {
		t.Errorf("Look = %d bytes, %d channels, %v s, want %d, 2, 4", f.Bytes, f.Channels, f.Seconds, len(want))
	}
}

func TestHeaderlessAreWhatAReloadSays(t *testing.T) {
	c := testConfig(t)
	r, _ := openTest(t, c, Options{})
	putOld(t, r, "call.raw", make([]byte, 32_000))
	for _, test := range []struct {
		name  string
		raw   *config.Raw
		bytes int64
		want  float64 // seconds
	}{
		{"nothing yet", nil, 32_000, 0},
		{"one channel", &config.Raw{Rate: 8000, Channels: 1}, 32_044, 2},
		{"two", &config.Raw{Rate: 8000, Channels: 2}, 32_044, 1},
	} {
		next := *c
		next.Raw = test.raw
		if err := reapply(r, &next); err != nil {
			t.Fatal(err)
		}
		if f := r.Look("call.raw", -1, -1); f.State != StateReady || f.Bytes != test.bytes || f.Seconds != test.want {
			t.Errorf("%s: Look = %s, %d bytes, %v s, want ready, %d, %v", test.name, f.State, f.Bytes, f.Seconds, test.bytes, test.want)
		}
	}
}

func TestLinkIsEmpty(t *testing.T) {
	c := testConfig(t)
	r, _ := openTest(t, c, Options{})
	put(t, r, "2020/a.wav", testFile(t, "mono.wav"))
	for _, test := range []struct {
		name       string
		path       string
		start, end float64
	}{
		{"nothing", "", -1, -1},
		{"above", "../a.wav", -1, -1},
		{"a folder", "2020", -1, -1},
		{"the folder", c.Dir, -1, -1},
		{"slice backwards", "2020/a.wav", 2, 1},
		{"slice of nothing", "2020/a.wav", 2, 2},
		{"slice that ends at the start", "2020/a.wav", -1, 0},
		{"slice of what cannot be sliced", "a.mp3", 1, 2},
	} {
		if got := r.Link(test.path, "", time.Now(), test.start, test.end); got != "" {
			t.Errorf("%s: Link = %s, want none", test.name, got)
		}
	}
	elsewhere := *c
	elsewhere.Listen = ""
	elsewhere.Keys = nil
	if err := reapply(r, &elsewhere); err != nil {
		t.Fatal(err)
	}
	if got := r.Link("2020/a.wav", AccessBasic, time.Now(), 1, 2); got != "" {
		t.Errorf("slice that nobody serves: Link = %s, want none", got)
	}
	if got := r.Link("2020/a.wav", AccessSigned, time.Now(), -1, -1); got != "" {
		t.Errorf("without a key: Link = %s, want none", got)
	}
}
