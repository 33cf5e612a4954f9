package command

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"callrelay/relay/recordings/wav"
	"callrelay/relay/unixsock"
)

// A demoCall is a call of two agents with a recording each.
type demoCall struct {
	id     string
	start  time.Time
	agents []demoAgent
}

// A demoAgent is one agent's part of a call.
type demoAgent struct {
	id     int
	name   string
	file   string        // below the recordings folder
	length time.Duration // of the recording
	tone   float64       // what is to be heard, in Hz
	bytes  int           // of the file, once it is written
}

func newDemoCall(number int, now time.Time) *demoCall {
	id := fmt.Sprintf("%s%022d", now.UTC().Format("20060102"), number)
	return &demoCall{id: id, start: now.Add(-3 * time.Minute), agents: []demoAgent{
		{id: 1401, name: "Ann O\"Neil & Sons", file: id + "-1.wav", length: 2 * time.Second, tone: 440},
		{id: 1402, name: "Bob <bob@example.com>", file: id + "-2.wav", length: time.Second, tone: 330},
	}}
}

// record writes the recording of each agent, as a call server would.
func (c *demoCall) record(dir string) error {
	for i := range c.agents {
		agent := &c.agents[i]
		n, err := writeTone(filepath.Join(dir, agent.file), agent.length, agent.tone)
		if err != nil {
			return fmt.Errorf("record agent %d: %w", agent.id, err)
		}
		agent.bytes = n
	}
	return nil
}

// send posts the call's event to the intake and waits until it is on disk.
func (c *demoCall) send(ctx context.Context, socket string) error {
	var segments []map[string]any
	for i, agent := range c.agents {
		segments = append(segments, map[string]any{
			"segment_id": fmt.Sprint(i + 1), "agent_id": agent.id, "agent_username": agent.name,
			"agent_duration": agent.length.Seconds(), "recording": agent.file,
		})
	}
	event, err := json.Marshal(map[string]any{
		"event": "agent_termination", "queue": "support", "uii": c.id,
		"ani": "+15551230001", "dnis": "+15559870002", "call_start": c.start.UTC().Format(time.RFC3339),
		"segments": segments,
	})
	if err != nil {
		return err
	}
	s := sender{client: unixsock.Client(socket), socket: socket, out: bufio.NewWriter(io.Discard)}
	s.batch.Write(append(event, '\n'))
	s.count = 1
	return s.flush(ctx)
}

const demoRate = 8000 // samples a second, as on a telephone line

// writeTone writes a WAV file of 16-bit mono samples and returns its size.
func writeTone(path string, length time.Duration, tone float64) (int, error) {
	samples := int(length.Seconds() * demoRate)
	data := wav.Raw(demoRate, 1, int64(2*samples)).HeaderFor(int64(2 * samples))
	for i := range samples {
		v := math.Sin(2*math.Pi*tone*float64(i)/demoRate) * math.MaxInt16 / 4
		data = binary.LittleEndian.AppendUint16(data, uint16(int16(v)))
	}
	return len(data), os.WriteFile(path, data, 0o600)
}
