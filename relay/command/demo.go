package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"callrelay/relay/daemon"
)

const (
	demoTimeout = 30 * time.Second // for all of a call to arrive
	demoPause   = 5 * time.Second  // between two calls
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a relay at work, with nothing installed and nothing left behind",
		Long:  "Start a receiver of web-service calls and a relay in a temporary folder, send a\ncall with two agent segments and their recordings, and print what arrives.\nWithout --once a call follows every few seconds until Ctrl-C.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.demo(cmd.Context(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "send one call; exit 0 only if all of it arrived")
	return cmd
}

func (a *app) demo(ctx context.Context, once bool) (err error) {
	dir, err := os.MkdirTemp("", "relay-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	receiver, err := newDemoReceiver()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, receiver.Close()) }()
	config, err := writeDemoConfig(dir, receiver.URL())
	if err != nil {
		return err
	}
	stop, err := a.startDemoRelay(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	a.printf("A relay runs in %s, a receiver at %s.\n", dir, receiver.URL())
	for number := 1; ; number++ {
		err := a.demoCall(ctx, dir, receiver, number)
		if ctx.Err() != nil && !once {
			return nil
		}
		if err != nil || once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(demoPause):
		}
	}
}

// startDemoRelay runs a relay as `relay run` does, but in this process and with
// a log of warnings only. The returned function stops it and waits.
func (a *app) startDemoRelay(ctx context.Context, config string) (stop func() error, err error) {
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := daemon.New(ctx, daemon.Options{Config: config, Version: a.version, Log: log})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, nil) }()
	return func() error {
		cancel()
		return <-ended
	}, nil
}

// demoCall sends one call of two agents and waits until each agent's webhook
// has arrived and its recording could be fetched.
func (a *app) demoCall(ctx context.Context, dir string, receiver *demoReceiver, number int) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	c := newDemoCall(number, time.Now())
	if err := c.record(filepath.Join(dir, "recordings")); err != nil {
		return err
	}
	a.printf("\nCall %s ends; two agents spoke to the caller, and both were recorded.\n", c.id)
	if err := c.send(ctx, filepath.Join(dir, "relay.sock")); err != nil {
		return err
	}
	a.printf("The relay has it on disk.\n")
	arrived := map[string]bool{}
	for len(arrived) < len(c.agents) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d webhooks arrived: %w", len(arrived), len(c.agents), ctx.Err())
		case w := <-receiver.webhooks:
			a.printf("\n%s\n", w)
			agent, err := w.verify(ctx, c)
			if err != nil {
				return err
			}
			a.printf("  its recording was fetched: %s of audio\n", agent.length)
			arrived[agent.name] = true
		}
	}
	a.printf("\nAll of call %s arrived: %s, %s.\n", c.id, plural(len(arrived), "webhook"), plural(len(arrived), "recording"))
	return nil
}

// demoConfig is the configuration of the demo: what a newcomer would write.
const demoConfig = `# made by relay demo
[intake]
socket = "relay.sock"

[queue]
dir    = "queue"
listen = ""

[admin]
socket = "admin.sock"
listen = ""

[recordings]
dir    = "recordings"
url    = "http://%[2]s/recordings"
listen = "%[2]s"
keys   = [{ id = "demo", secret = { file = "recordings.key", create = true } }]

[[service]]
name = "crm"
url  = "%[1]s/calls?queue=#queue#"
json = '''{
  "callId": "#uii#",
  "agentId": "#agent_id|number#",
  "agentName": "#agent_username#",
  "caller": "#ani#",
  "callStart": "#call_start#",
  "duration": "#agent_duration|number#",
  "recordingUrl": "#recording_url#"
}'''

[[binding]]
event   = "agent_termination"
queue   = "support"
service = "crm"
`

// writeDemoConfig writes the configuration and returns its path.
func writeDemoConfig(dir, receiver string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := l.Addr().String() // of the recording server, free in a moment
	if err := l.Close(); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "relay.toml")
	text := fmt.Sprintf(demoConfig, receiver, address)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", err
	}
	return path, os.Mkdir(filepath.Join(dir, "recordings"), 0o700)
}
