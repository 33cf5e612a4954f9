package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/daemon"
	"callrelay/relay/source/freeswitch"
	"callrelay/relay/web"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look through the queue and say what is wrong and what to do",
		Long: "Look through the queue of the relay, whether it runs or is stopped: its folder and\n" +
			"the disk below it, the clock, what is delivered and what is owed, and what\n" +
			"JetStream says of its streams and of records it has lost. Nothing is changed.\n" +
			"It fails when there is a fault.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.doctor(cmd.Context(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object a line")
	return cmd
}

func (a *app) doctor(ctx context.Context, asJSON bool) error {
	c, problems := config.Look(a.configPath())
	found, err := a.examine(ctx, c)
	if c == nil && err != nil {
		return hintError{daemon.Problems(problems), "relay -c FILE, or set RELAY_CONFIG"}
	}
	if err != nil {
		return err
	}
	for _, warning := range warningsOf(c) {
		found = append(found, queue.Finding{Level: queue.Doubtful, What: "configuration", Text: warning.String(), Do: "relay check"})
	}
	if len(problems) > 0 {
		found = append([]queue.Finding{{Level: queue.Faulty, What: "configuration", Text: plural(len(problems), "problem"), Do: "relay check"}}, found...)
	}
	if text := freeswitch.Spooled(time.Now()); text != "" {
		found = append(found, queue.Finding{Level: queue.Doubtful, What: "FreeSWITCH", Text: text, Do: "scripts/examples/freeswitch/replay.sh, and its timer"})
	}
	faults := 0
	for _, f := range found {
		if f.Level == queue.Faulty {
			faults++
		}
	}
	a.printFindings(found, asJSON)
	if faults > 0 {
		return fmt.Errorf("%s found", plural(faults, "fault"))
	}
	return nil
}

// warningsOf are the warnings of a configuration; none where it does not parse.
func warningsOf(c *config.Config) []config.Problem {
	if c == nil {
		return nil
	}
	return c.Warnings()
}

// examine asks the running relay, or looks itself when none runs. Without a
// configuration it can only ask.
func (a *app) examine(ctx context.Context, c *config.Config) ([]queue.Finding, error) {
	found, err := a.client().Doctor(ctx)
	if c == nil || !errors.Is(err, web.ErrNotRunning) {
		return append([]queue.Finding{{Level: queue.Well, What: "relay", Text: "runs"}}, found...), err
	}
	if err := becomeOwner(c.Queue.Dir); err != nil {
		return nil, err
	}
	list, err := queue.Examine(ctx, daemon.QueueOptions(c), daemon.Configured(c))
	if err != nil {
		return nil, err
	}
	return append([]queue.Finding{{Level: queue.Doubtful, What: "relay", Text: "does not run", Do: howToStart}}, list...), nil
}

func (a *app) printFindings(found []queue.Finding, asJSON bool) {
	if asJSON {
		e := jsonTo(a.out, "")
		for _, f := range found {
			_ = e.Encode(f)
		}
		return
	}
	p := a.painter()
	colours := map[queue.Level]string{queue.Well: green, queue.Doubtful: yellow, queue.Faulty: red}
	wide := 0
	for _, f := range found {
		wide = max(wide, len(f.What))
	}
	for _, f := range found {
		a.printf("%s  %-*s  %s\n", p.in(colours[f.Level], fmt.Sprintf("%-7s", f.Level)), wide, f.What, f.Text)
		if f.Do != "" {
			a.printf("%*s  try: %s\n", wide+9, "", f.Do)
		}
	}
}
