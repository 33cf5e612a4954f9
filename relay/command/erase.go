package command

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"callrelay/relay/web"
)

func (a *app) eraseCommand() *cobra.Command {
	var who web.Person
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "erase (--call UII | --ani NUMBER)",
		Short: "Remove a person from everything the running relay keeps",
		Long: "Remove the events, attempts, transcripts and dead letters of a call, or of all\n" +
			"calls from a number, from every stream, and overwrite them on disk. What was\n" +
			"still owed of them is not delivered any more. Recordings are files of the call\n" +
			"server and stay; they are named. Logs and backups stay too.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (who.Call == "") == (who.Number == "") {
				return usageError{errors.New("erase needs either --call UII or --ani NUMBER")}
			}
			return a.erase(cmd.Context(), who, dryRun)
		},
	}
	cmd.Flags().StringVar(&who.Call, "call", "", "the call (uii)")
	cmd.Flags().StringVar(&who.Number, "ani", "", "the number, however it is written: only its digits count")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what there is")
	return cmd
}

func (a *app) erase(ctx context.Context, who web.Person, dryRun bool) error {
	e, err := a.client().Erase(ctx, who, dryRun)
	if err != nil {
		return err
	}
	what := "erased"
	if dryRun {
		what = "would erase"
	}
	a.printErasure(cmp.Or(who.Call, who.Number), what, e)
	return nil
}

func (a *app) printErasure(who, what string, e web.Erasure) {
	total := 0
	for _, n := range e.Records {
		total += n
	}
	if total == 0 {
		a.printf("no record is kept of %s\n", who)
	} else {
		a.printf("%s %s of %s\n", what, plural(total, "record"), plural(e.Calls, "call"))
	}
	for _, stream := range [...]string{"EVENTS", "RETRY", "DEAD", "ATTEMPTS", "DEBUG"} {
		if n := e.Records[stream]; n > 0 {
			a.printf("  %-8s %d\n", stream, n)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(e.Owed)) {
		a.printf("still owed to %s: %s\n", service, deliveries(e.Owed[service]))
	}
	if e.InFlight > 0 {
		a.printf("under way just then: %s, which may have arrived\n", deliveries(e.InFlight))
	}
	if e.Late > 0 {
		a.printf("no longer waited for: %s\n", plural(e.Late, "late recording"))
	}
	if e.Traces > 0 {
		a.printf("stays: bytes of records that were deleted earlier, in %s, until JetStream writes it again\n", plural(e.Traces, "file"))
	}
	for _, file := range e.Recordings {
		a.printf("stays: recording %q\n", file)
	}
}
