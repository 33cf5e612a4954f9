package command

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// hintError is an error with a known way out.
type hintError struct {
	error
	try string
}

func (e hintError) Unwrap() error { return e.error }
