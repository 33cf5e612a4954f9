package deliver

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strconv"

	"callrelay/relay/call"
	"callrelay/relay/exchange"
	"callrelay/relay/repeat"
	"callrelay/render"
)

// maxEncoded is the longest recording that goes out in base64, in bytes.
const maxEncoded = 16 << 20

// lookAgent describes the dual-channel recording.
func (t *tags) lookAgent() Recording {
	if t.agent == nil {
		r := Recording{State: RecordingNone}
		file, _ := t.event.AgentRecording()
		if _, on := t.recordings.Settings(); on && file != "" {
			r = t.recordings.LookAgent(file)
		}
		t.agent = t.sendable(r, file)
	}
	return *t.agent
}

// sendable is a recording with the name that a preview shows where it is not
// there yet: an event that was made up has an example.
func (t *tags) sendable(r Recording, file string) *Recording {
	if file == "" && t.event.Name == call.Test {
		example, _ := call.Find("recording")
		file = example.Example
	}
	if r.State != RecordingReady && t.preview && file != "" {
		r.Name, r.Type = path.Base(file), "audio/wav"
	}
	return &r
}

// known is a text that is absent when it is empty.
func known(s string) render.Value {
	if s == "" {
		return render.Value{}
	}
	return text(s)
}

// carried is the recording that a tag of a file stands for.
func (t *tags) carried(tag string) Recording {
	if of, _ := call.Find(tag); of.Needs == call.AgentRecording {
		return t.lookAgent()
	}
	return t.look()
}

// inserts are what stands for the files of a body where it is shown.
func (t *tags) inserts(files []render.File) []exchange.Insert {
	var list []exchange.Insert
	for _, f := range files {
		r := t.carried(f.Tag)
		facts := r.Type
		if r.State == RecordingReady {
			facts += ", " + strconv.FormatInt(r.Bytes, 10) + " bytes"
		} else {
			facts += ", " + r.State
		}
		if r.Seconds > 0 {
			facts += ", " + strconv.FormatFloat(r.Seconds, 'f', -1, 64) + " s"
		}
		if encoded(f.Tag) {
			facts += ", in base64"
		}
		list = append(list, exchange.Insert{At: f.At, Text: "(" + r.Name + ": " + facts + ")"})
	}
	return list
}

func encoded(tag string) bool {
	of, _ := call.Find(tag)
	return of.Type == "base64"
}

// open opens the files of a body, each once. They are to be closed with the attempt,
// also after an error, which is a [*exchange.FileError] or a [*render.Error].
func (t *tags) open(files []render.File) ([]exchange.Insert, error) {
	list := t.inserts(files)
	opened := map[call.File]exchange.File{}
	for i, f := range files {
		of, _ := call.Find(f.Tag)
		file := opened[of.Needs]
		if file == nil {
			r := t.carried(f.Tag)
			if r.Open == nil {
				return list[:i], &exchange.FileError{Err: errors.New("no file to send")}
			}
			var err error
			if file, err = r.Open(); err != nil {
				return list[:i], &exchange.FileError{Err: err}
			}
			opened[of.Needs] = file
		}
		list[i].File = file
		if encoded(f.Tag) {
			list[i].File = exchange.Base64(file)
			if file.Size() > maxEncoded {
				return list[:i+1], &render.Error{
					Key: cmp.Or(t.service.Body, "soap"), Tag: "#" + f.Tag + "#",
					Text: fmt.Sprintf("the recording has %d bytes, and at most %d go out in base64", file.Size(), maxEncoded),
				}
			}
		}
	}
	return list, nil
}

// unopened has a delivery come again whose recording could not be opened, or was
// another one meanwhile: nothing was sent.
func (r turn) unopened(fault error) {
	r.reporter.descriptors.Note(fault)
	r.reporter.log.LogAttrs(r.abort, slog.LevelWarn, "recording not opened", append(r.d.logAttrs(), slog.Any("err", fault), repeat.Key(r.name))...)
	r.setAside(recordingRest)
}
