package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"callrelay/relay/deliver"
	"callrelay/relay/web"
)

// deadFlags choose dead letters on the command line.
type deadFlags struct {
	service, reason, call string
	since, until          string
	all, dryRun, asJSON   bool
	limit, rate           uint
	hub                   string // an edge
}

func (a *app) deadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Args:  cobra.ArbitraryArgs,
		RunE:  parent,
		Short: "List, show, replay or drop dead letters",
		Long: "Dead letters are deliveries that were given up. They are kept with the reason\nuntil they are replayed, dropped, or older than queue.dead_keep.\n\nThe reasons are:\n" +
			glossary(deliver.Reasons(), func(r deliver.Reason) (name, text string) { return r.Name, r.Text }),
	}
	cmd.AddCommand(a.deadListCommand(), a.deadShowCommand(), a.deadReplayCommand(), a.deadDropCommand())
	return cmd
}

func (a *app) deadListCommand() *cobra.Command {
	var f deadFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, oldest first",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.hub != "" {
				return a.hubLetters(cmd.Context(), f)
			}
			return a.deadList(cmd.Context(), f)
		},
	}
	f.listHub(cmd)
	f.choose(a, cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print a JSON object a line")
	cmd.Flags().UintVar(&f.limit, "limit", 0, "stop after `N` (default: all)")
	return cmd
}

func (a *app) deadShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NUMBER|ID",
		Short: "Show one dead letter whole",
		Long:  "Show one dead letter whole, with the attempts that are kept (tries), and what was\nsent and the whole answer (exchanges) where debug was on for the service.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.deadShow(cmd.Context(), args[0])
		},
	}
}

func (a *app) deadReplayCommand() *cobra.Command {
	var f deadFlags
	cmd := &cobra.Command{
		Use:   "replay [NUMBER...]",
		Short: "Put dead letters back into the queue, each for its service only",
		Args:  cobra.ArbitraryArgs,
		Long:  "Put dead letters back into the queue, each for its service only, under the id it\nhad. Age and attempts start anew. It can be stopped at any moment and run again:\nwhat was put back is no dead letter any more.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.hub != "" {
				return a.hubReplay(cmd.Context(), f, args)
			}
			return a.deadMove(cmd.Context(), f, args, "replayed", web.Replay)
		},
	}
	f.replayHub(cmd)
	f.choose(a, cmd)
	f.confirm(cmd)
	cmd.Flags().UintVar(&f.rate, "rate", 0, "put back at most `N` a second (default: as fast as the queue takes them)")
	return cmd
}

func (a *app) deadDropCommand() *cobra.Command {
	var f deadFlags
	cmd := &cobra.Command{
		Use:   "drop [NUMBER...]",
		Short: "Remove dead letters for good",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.deadMove(cmd.Context(), f, args, "dropped", web.DropLetters)
		},
	}
	f.choose(a, cmd)
	f.confirm(cmd)
	return cmd
}

func (f *deadFlags) choose(a *app, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.service, "service", "", "only of this service")
	flags.StringVar(&f.reason, "reason", "", "only with this reason: "+strings.Join(reasonNames(), ", "))
	flags.StringVar(&f.call, "call", "", "only of this call (uii)")
	flags.StringVar(&f.since, "since", "", "only those given up since: a time, or a span such as 2h before now")
	flags.StringVar(&f.until, "until", "", "only those given up until: a time, or a span such as 2h before now")
	complete := cobra.FixedCompletions(reasonNames(), cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc("reason", complete)
	_ = cmd.RegisterFlagCompletionFunc("service", a.completeService)
	if cmd.Name() == "list" {
		flags.BoolVar(&f.all, "all", true, "without a filter: all")
		_ = flags.MarkHidden("all")
	}
}

func (f *deadFlags) confirm(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.all, "all", false, "without a filter: all of them")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only say how many there are")
}

func reasonNames() (names []string) {
	for _, r := range deliver.Reasons() {
		names = append(names, r.Name)
	}
	return names
}

// filter reads the flags, and the numbers given as arguments.
func (f *deadFlags) filter(args []string, now time.Time) (web.Filter, error) {
	filter := web.Filter{Service: f.service, Reason: f.reason, Call: f.call, Rate: int(f.rate)}
	for _, arg := range args {
		seq, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return filter, usageError{fmt.Errorf("%q is not the number of a dead letter", arg)}
		}
		filter.Seqs = append(filter.Seqs, seq)
	}
	var err error
	if filter.Since, err = parseWhen("since", f.since, now); err != nil {
		return filter, err
	}
	if filter.Until, err = parseWhen("until", f.until, now); err != nil {
		return filter, err
	}
	if f.reason != "" && !slices.Contains(reasonNames(), f.reason) {
		return filter, hintError{usageError{fmt.Errorf("--reason %q is none", f.reason)}, "one of " + strings.Join(reasonNames(), ", ")}
	}
	if filter.Empty() && !f.all {
		return filter, hintError{usageError{errors.New("this would take every dead letter")}, "--all, or a filter such as --service"}
	}
	return filter, nil
}

// parseWhen reads a time, or a span of time before now.
func parseWhen(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := daysOf(text); ok {
		return now.AddDate(0, 0, -days), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, hintError{
		usageError{fmt.Errorf("--%s %q is neither a time nor a span", flag, text)},
		"2h, 7d, 2026-01-31, \"2026-01-31 15:00\" or 2026-01-31T15:00:00Z",
	}
}

func daysOf(text string) (int, bool) {
	if text == "" || text[len(text)-1] != 'd' {
		return 0, false
	}
	n, err := strconv.Atoi(text[:len(text)-1])
	return n, err == nil && n >= 0
}

func (a *app) deadList(ctx context.Context, f deadFlags) error {
	filter, err := f.filter(nil, time.Now())
	if err != nil {
		return err
	}
	list := a.letterList(f, letterHead...)
	err = a.client().Letters(ctx, filter, f.asJSON, func(l web.Letter) bool { return list.add(l, l) })
	return list.end(filter, err)
}

func (a *app) deadShow(ctx context.Context, which string) error {
	filter := web.Filter{ID: which}
	if seq, err := strconv.ParseUint(which, 10, 64); err == nil {
		filter = web.Filter{Seqs: []uint64{seq}}
	}
	found, err := a.client().Letter(ctx, filter)
	if err == nil && len(found) == 0 {
		return hintError{fmt.Errorf("no dead letter %s", which), "relay dead list"}
	}
	e := jsonTo(a.out, "  ")
	for _, l := range found {
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return err
}

// deadMove replays or drops, or only counts.
func (a *app) deadMove(ctx context.Context, f deadFlags, args []string, done, change string) error {
	filter, err := f.filter(args, time.Now())
	if err != nil {
		return err
	}
	c := a.client()
	var moved web.Moved
	if f.dryRun {
		done = "would have " + done
		moved.Count, err = countLetters(ctx, c, filter)
	} else {
		moved, err = c.Move(ctx, change, filter, a.progress(done, lettersOf(ctx, c, filter)))
	}
	n := moved.Count
	if err == nil && n == 0 && len(filter.Seqs) > 0 {
		return hintError{fmt.Errorf("no dead letter %s", strings.Join(args, ", ")), "relay dead list"}
	}
	if err == nil || n > 0 {
		a.printf("%s %s\n", done, plural(n, "dead letter"))
	}
	if warning := moved.Warning(); warning != "" {
		_, _ = fmt.Fprintf(a.err, "warning: %s\ntry: configure it again, or relay drop SERVICE\n", warning)
	}
	if err != nil && n > 0 {
		return hintError{err, "the same again: what is done stays done"}
	}
	return err
}
