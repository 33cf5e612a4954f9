package record

import "errors"

// Errors a caller may branch on.
var (
	// ErrFull means that the queue takes nothing more until something is
	// delivered, trimmed or dropped. Nothing of the refused records counts as
	// accepted.
	ErrFull = errors.New("queue is full")
	// ErrUnavailable means that the queue cannot write now, or does not know
	// whether it did. Resending under the same ids is safe.
	ErrUnavailable = errors.New("queue is not available")
	// ErrBusy means that another relay has the folder, or keeps the site.
	ErrBusy = errors.New("in use by another relay")
	// ErrTooLarge means that a record is larger than the servers of the cluster
	// take. It is refused each time.
	ErrTooLarge = errors.New("record too large")
	// ErrConflict means that an id of the records stood for something else within
	// the window of duplicates. Nothing of the records is stored.
	ErrConflict = errors.New("id is known with other content")
	// ErrNotFound means that there is no such thing.
	ErrNotFound = errors.New("not found")
)
