package config

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// mask stands for a secret wherever one would be printed.
const mask = "***"

// A Secret is a text that is never printed: fmt, encoding/json and log/slog all
// show "***". The zero value is a secret that is not configured. Copies share
// what they hold, and a Secret is safe for concurrent use after [Load].
type Secret struct{ source *secretSource }

// secretSource is what a Secret points at, so that printing a struct by reflection
// reaches an address and not the text.
type secretSource struct {
	env    string // name of the environment variable
	path   string // of the file
	create bool   // make a missing file
	value  string // of a text, or once resolved
}

// NewSecret returns a secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&secretSource{value: text}}
}

// Value returns the text: empty when the secret is not configured, or belongs
// to a feature that is off.
func (s Secret) Value() string {
	if s.source == nil {
		return ""
	}
	return s.source.value
}

// Set reports whether the secret is configured.
func (s Secret) Set() bool { return s.source != nil }

// String returns "***".
func (s Secret) String() string { return mask }

// GoString returns "***".
func (s Secret) GoString() string { return mask }

// Format writes "***", whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

// MarshalText returns "***".
func (s Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// MarshalJSON returns "***" as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + mask + `"`), nil }

// LogValue returns "***".
func (s Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// origin names where the secret comes from, never what it is.
func (s Secret) origin() string {
	switch {
	case s.source == nil:
		return ""
	case s.source.env != "":
		return "env " + s.source.env
	case s.source.path != "":
		return "file " + s.source.path
	}
	return mask
}

// byteOrderMark is what some editors put in front of a text.
const byteOrderMark = "\uFEFF"

// inText reports whether the secret stands in relay.toml itself.
func (s Secret) inText() bool { return s.source != nil && s.source.env == "" && s.source.path == "" }

// whereFrom ends what is said of a variable that is missing.
const whereFrom = " (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)"

// resolve reads the secret from where it is, without the blanks around it. A
// missing file is made with what random returns when the secret says so; without
// make, that is not kept. The error names the variable or the
// file, never the value.
func (s Secret) resolve(random func() string, make bool) error {
	h := s.source
	switch {
	case h == nil || h.value != "":
		return nil
	case h.env != "":
		value, ok := os.LookupEnv(h.env)
		if value == "" {
			state := "is not set"
			if ok {
				state = "is empty"
			}
			return fmt.Errorf("environment variable %s %s%s", h.env, state, whereFrom)
		}
		h.value = value
		return nil
	}
	text, err := os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) && h.create {
		if text, err = []byte(random()), nil; make {
			text, err = create(h.path, string(text))
		}
	}
	if err != nil {
		return err
	}
	if h.value = strings.TrimSpace(strings.TrimPrefix(string(text), byteOrderMark)); h.value == "" {
		return fmt.Errorf("file %s is empty", h.path)
	}
	return nil
}

// create writes text to a new file and returns what the file holds afterwards,
// which another process may have written first. The file appears whole: it is
// written beside its place and linked into it.
func create(path, text string) ([]byte, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := inherit(dir); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	tmp, err := os.CreateTemp(dir, ".secret-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(text + "\n")
	if err = cmp.Or(err, inherit(tmp.Name()), tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// inherit gives what root has made to the owner of the folder it lies in, so
// that a check by root does not lock the relay out of its own secrets.
func inherit(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}

// randomHex returns 256 random bits as 64 digits.
func randomHex() string { return hex.EncodeToString(randomBytes()) }

// randomSigning returns a Standard Webhooks secret of 256 random bits.
func randomSigning() string {
	return signingPrefix + base64.StdEncoding.EncodeToString(randomBytes())
}

func randomBytes() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return b
}
