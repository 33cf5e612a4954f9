package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"callrelay/config"
	"callrelay/queue"
)

// What [Relay.Change] does to a service.
const (
	Pause  = "pause"  // holds what is owed to it, until Resume
	Resume = "resume" // ends a pause
	Probe  = "probe"  // has an open breaker try the endpoint now
	Drop   = "drop"   // makes what waits for an orphaned one dead letters
)

// What is done to dead letters.
const (
	Replay      = "replay" // puts them back into the queue
	DropLetters = "drop"   // removes them for good
)

// Letters reads and moves dead letters, oldest first.
type Letters interface {
	// Letters calls visit for each letter until it returns false.
	Letters(ctx context.Context, f Filter, visit func(Letter) bool) error
	// Story fills in how a letter came to be one.
	Story(ctx context.Context, l *Letter) error
	// Replay puts letters back into the queue. What it did before ctx ends
	// stays done.
	Replay(ctx context.Context, f Filter, each func(Letter)) (int, error)
	// Drop removes letters for good.
	Drop(ctx context.Context, f Filter) (int, error)
}

// Attempts reads what was logged of attempts, newest first.
type Attempts interface {
	// Attempts returns the records of a service, at most limit.
	Attempts(ctx context.Context, service string, limit int) ([]Attempt, error)
	// Transcripts returns the exchanges kept while debug was on, at most limit.
	Transcripts(ctx context.Context, service string, limit int) ([]Transcript, error)
	// Follow calls visit for each new attempt of a service, or of all when
	// service is empty, until ctx ends.
	Follow(ctx context.Context, service string, visit func(Attempt)) error
}

// Relay is the running relay as its operator sees it.
type Relay struct {
	Status   func() Status
	Reload   func(ctx context.Context) Reload
	Plan     func() Plan   // what Reload would do
	Settings func() string // the configuration in force, secrets masked
	// Feeds returns the bindings that feed a service, a line each, and its URL
	// without its query.
	Feeds    func(service string) (bindings []string, url string)
	Letters  Letters
	Attempts Attempts

	// Change does one of [Pause], [Resume], [Probe] and [Drop] to a service, and
	// returns how many deliveries became dead letters. The error is [ErrNoService]
	// when there is none of that name.
	Change func(ctx context.Context, service, change, why string) (int, error)
	// Resend puts what a service was sent, and its dead letters, back into the
	// queue, as f chooses by call and time. What it did before ctx ends stays done,
	// and is left out when it is asked for again. With dry it only counts.
	Resend func(ctx context.Context, f Filter, dry bool, each func(count int)) (Resent, error)
	// Erase removes a person from every stream; with dry it only counts.
	Erase func(ctx context.Context, p Person, dry bool) (Erasure, error)
	// Backup writes what the queue holds, each file to the writer that create
	// returns for its path. The last one is what makes the backup whole.
	Backup func(ctx context.Context, create func(path string) (io.Writer, error)) error
	// Doctor looks through the queue.
	Doctor func(ctx context.Context) []queue.Finding
	// Test makes one attempt at a service now, outside the queue. An empty
	// event stands for a relay_test of the relay's own making.
	Test func(ctx context.Context, service string, event []byte) (Transcript, error)
}

// ErrNoService says that no service has the name asked for.
var ErrNoService = errors.New("no such service")

// shownNames is how many names an error lists at most.
const shownNames = 20

// KnownService is an [ErrNoService], with the names there are, unless service is
// one of them.
func KnownService(service string, names []string) error {
	if slices.Contains(names, service) {
		return nil
	}
	hint := "none is configured"
	if len(names) > 0 {
		hint = "known: " + strings.Join(names[:min(len(names), shownNames)], ", ")
	}
	if more := len(names) - shownNames; more > 0 {
		hint += fmt.Sprintf(" and %d more", more)
	}
	if near := config.Nearest(service, names); near != "" {
		hint = fmt.Sprintf("did you mean %q? %s", near, hint)
	}
	return fmt.Errorf("%w: %q (%s)", ErrNoService, service, hint)
}

// ErrRefused says that the relay is not in a state to do what was asked.
var ErrRefused = errors.New("refused")
