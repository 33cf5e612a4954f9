package command

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"callrelay/config"
)

// unknown says that a word names nothing.
func unknown(kind, word string) error { return fmt.Errorf("%s %q is not known", kind, word) }

// parent is what a command does that only has others below it: it explains
// itself, and refuses a word that is none of them.
func parent(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	err := unknown("command", args[0])
	var names []string
	for _, below := range cmd.Commands() {
		names = append(names, below.Name())
	}
	if near := config.Nearest(args[0], names); near != "" {
		err = fmt.Errorf("%w; nearest is %s", err, near)
	}
	return usageError{err}
}

// argumentError is a command with too many words behind it, or too few.
type argumentError struct{ error }

// takes checks how many words stand behind a command: as many as its usage line
// names in capitals, those in brackets at will.
func takes(cmd *cobra.Command, args []string) error {
	var words []string
	usage, _, _ := strings.Cut(cmd.Use, "(") // flags
	for word := range strings.FieldsSeq(usage) {
		if argumentName.MatchString(word) {
			words = append(words, word)
		}
	}
	switch {
	case len(args) > len(words):
		return argumentError{fmt.Errorf("too much behind %s: %q", cmd.Name(), args[len(words)])}
	case len(args) < len(words) && !strings.HasPrefix(words[len(args)], "["):
		return argumentError{fmt.Errorf("%s needs %s", cmd.Name(), words[len(args)])}
	}
	return nil
}

// takeWords has a command and those below it take the words of their usage lines,
// where they do not say otherwise.
func takeWords(cmd *cobra.Command) {
	if cmd.Args == nil {
		cmd.Args = takes
	}
	for _, below := range cmd.Commands() {
		takeWords(below)
	}
}

var argumentName = regexp.MustCompile(`^\[?[A-Z]+(\|[A-Z-]+)?\]?$`)

// plainError says in our own words what the command line's library found wrong.
func plainError(err error) error {
	if invalid := (*pflag.InvalidValueError)(nil); errors.As(err, &invalid) {
		want := "a number"
		if invalid.GetFlag().Value.Type() == "bool" {
			want = "true or false"
		}
		return fmt.Errorf("--%s: %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), want)
	}
	if missing := (*pflag.ValueRequiredError)(nil); errors.As(err, &missing) {
		return fmt.Errorf("--%s needs a value", missing.GetFlag().Name)
	}
	if absent := (*pflag.NotExistError)(nil); errors.As(err, &absent) {
		name := "--" + absent.GetSpecifiedName()
		if absent.GetSpecifiedShortnames() != "" {
			name = "-" + absent.GetSpecifiedName()
		}
		return fmt.Errorf("flag %s is not known", name)
	}
	return err
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// hintError is an error with a known way out.
type hintError struct {
	error
	try string
}

func (e hintError) Unwrap() error { return e.error }
