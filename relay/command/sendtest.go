package command

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"callrelay/relay/printable"
	"callrelay/relay/web"
)

func (a *app) testCommand() *cobra.Command {
	var event string
	cmd := &cobra.Command{
		Use:               "test SERVICE",
		Short:             "Send relay_test to one service now and show the exchange",
		Long:              "Send relay_test, an event with an example value for every tag, to one service\nnow, beside its queue, and show the exchange with secrets masked.",
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.test(cmd.Context(), args[0], event)
		},
	}
	cmd.Flags().StringVarP(&event, "event", "e", "", "a file with the event to send instead, - for the standard input")
	return cmd
}

func (a *app) test(ctx context.Context, service, event string) error {
	data, err := a.readEvent(event)
	if err != nil {
		return err
	}
	x, err := a.client().Test(ctx, service, data)
	if err != nil {
		return err
	}
	a.printTranscript(x)
	if x.Outcome != "delivered" {
		status := 0
		if x.Response != nil {
			status = x.Response.Status
		}
		return hintError{errors.New("not delivered"), web.Advice(status, x.Error)}
	}
	return nil
}

func (a *app) printTranscript(t web.Transcript) {
	a.printf("%s\n\n", printable.Text(t.Sent(), "\r\n\t"))
	if answer := t.Answer(); answer != "" {
		a.printf("%s\n\n", printable.Text(answer, "\n\t"))
	}
	a.printf("%s\n", a.painter().in(a.painter().colour(t.Outcome), t.Result()))
}

// readEvent reads the file of an event, nothing when there is none.
func (a *app) readEvent(path string) ([]byte, error) {
	switch path {
	case "":
		return nil, nil
	case "-":
		return io.ReadAll(a.in)
	default:
		return os.ReadFile(path)
	}
}
