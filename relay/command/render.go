package command

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"callrelay/config"
	"callrelay/relay/call"
	"callrelay/relay/daemon"
	"callrelay/relay/deliver"
	"callrelay/relay/printable"
	"callrelay/relay/recordings"
	"callrelay/relay/route"
	"callrelay/relay/web"
	"callrelay/render"
)

func (a *app) renderCommand() *cobra.Command {
	var event string
	cmd := &cobra.Command{
		Use:               "render SERVICE",
		Short:             "Show what would be sent to a service, without sending it",
		Long:              "Show what would be sent to a service, and what each tag became. Nothing is sent\nand no relay needs to run. Without an event, one with an example value for each\ntag is made up.",
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.render(cmd.Context(), args[0], event)
		},
	}
	cmd.Flags().StringVarP(&event, "event", "e", "", "a file with the event, - for the standard input")
	return cmd
}

func (a *app) render(_ context.Context, name, event string) (err error) {
	pretendSecrets(a.configPath())
	s, err := daemon.Look(a.configPath())
	if problems := daemon.Problems(nil); errors.As(err, &problems) {
		return hintError{err, "relay check"}
	}
	if err != nil {
		return err
	}
	service := s.Table.Service(name)
	if service == nil {
		return web.KnownService(name, daemon.Configured(s.Config))
	}
	data, err := a.readEvent(event)
	if err != nil {
		return err
	}
	events, err := daemon.DecodeEvent(s.Config, data)
	if err != nil {
		return err
	}
	links, closeLinks, err := openLinks(s.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLinks()) }()
	for i := range events {
		if err := a.renderOne(service, &events[i], links); err != nil {
			return err
		}
	}
	return nil
}

// pretendSecrets has a value in each environment variable that secrets are taken
// from and that is not set: nothing is sent, and they are masked in what is shown.
func pretendSecrets(path string) {
	text, _ := os.ReadFile(path) // what is wrong with it is said by who reads it next
	for _, name := range secretNames(string(text)) {
		if os.Getenv(name) == "" {
			_ = os.Setenv(name, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
		}
	}
}

func (a *app) renderOne(s *route.Service, e *call.Event, links deliver.Recordings) error {
	preview, err := deliver.NewPreview(s, e, links, a.version)
	if err == nil {
		r := preview.Request
		a.printf("%s\n\n", web.ExchangeText(r.Method+" "+r.URL, r.Headers, r.Body))
	}
	a.printSteps(preview.Steps)
	return err
}

// printSteps prints what each tag became.
func (a *app) printSteps(steps []render.Step) {
	t := table{head: []string{"IN", "TAG", "VALUE", "BECAME"}}
	for _, s := range steps {
		t.add(s.Key, s.Tag, printable.Text(s.Value.Text, ""), printable.Text(s.Text, ""))
	}
	t.print(a.err)
}

// openLinks makes the recordings of a configuration, to look at and to link
// only. They are nil when there are none.
func openLinks(c *config.Config) (deliver.Recordings, func() error, error) {
	if c.Recordings == nil {
		return nil, func() error { return nil }, nil
	}
	r, err := recordings.Open(c.Recordings, recordings.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	return daemon.Recordings(r), r.Close, nil
}
