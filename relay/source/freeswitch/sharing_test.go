package freeswitch

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

// Two segments with one recording are warned of: a contact that names a
// variable which the caller's leg does not have gives every call the same.
func TestSharedRecording(t *testing.T) {
	var log bytes.Buffer
	n := &Intake{
		Converter: converter, Ledger: openLedger(t, &memory{}), Log: slog.New(slog.NewTextHandler(&log, nil)),
		Emit: singly(func(context.Context, []byte) error { return nil }),
	}
	same := map[string]any{"relay_recording": recordingsDir + "/-1001.wav"}
	post(n, edited(t, documents(t, "q_caller_hangs_up")[1], same))
	if log.Len() > 0 {
		t.Errorf("a warning of one segment: %s", log.String())
	}
	post(n, edited(t, documents(t, "q_agent_hangs_up")[0], same))
	if !strings.Contains(log.String(), "two segments have the same recording") || !strings.Contains(log.String(), "-1001.wav") {
		t.Errorf("log %q, want a warning", log.String())
	}
}
