package recordings

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"callrelay/config"
)

// knownLogins is how many names with the right password are kept in memory, as
// keyed sums, so that a hash is not computed at every request.
const knownLogins = 1 << 10

// users are those who may fetch recordings with a password. Safe for
// concurrent use.
type users struct {
	checks map[string]check
	decoy  check // of a name that nobody has
	slow   bool  // some passwords are hashes that take long
	slots  chan struct{}
	key    []byte // of the sums in known
	known  *cache[[sha256.Size]byte, struct{}]
}

// A check reports whether a password is the right one.
type check func(password string) bool

// newUsers takes the users that have a password, as plain text, bcrypt or
// argon2id hash.
func newUsers(list []config.User) (*users, error) {
	u := &users{
		checks: map[string]check{}, slots: make(chan struct{}, max(1, runtime.NumCPU()/2)),
		key: []byte(rand.Text()), known: newCache[[sha256.Size]byte, struct{}](knownLogins),
	}
	u.decoy = u.plain(rand.Text())
	for _, user := range list {
		secret := user.Password.Value()
		if secret == "" {
			continue
		}
		c, slow, err := u.check(secret)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", user.Name, err)
		}
		u.checks[user.Name] = c
		if slow {
			u.slow, u.decoy = true, c
		}
	}
	return u, nil
}

// check returns how a password is compared with a secret, and whether that
// takes long.
func (u *users) check(secret string) (c check, slow bool, err error) {
	switch {
	case strings.HasPrefix(secret, "$argon2"):
		c, err = argon2idCheck(secret)
		return c, true, err
	case strings.HasPrefix(secret, "$2"):
		if _, err := bcrypt.Cost([]byte(secret)); err != nil {
			return nil, true, errors.New("password is not a bcrypt hash")
		}
		return func(p string) bool { return bcrypt.CompareHashAndPassword([]byte(secret), []byte(p)) == nil }, true, nil
	}
	return u.plain(secret), false, nil
}

// plain compares sums, so that the time taken says nothing of the secret, not
// even its length.
func (u *users) plain(secret string) check {
	want := u.sum(secret)
	return func(p string) bool { got := u.sum(p); return hmac.Equal(got[:], want[:]) }
}

func (u *users) sum(text string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, u.key)
	mac.Write([]byte(text))
	return [sha256.Size]byte(mac.Sum(nil))
}

// any reports whether there is anyone who could have the right password.
func (u *users) any() bool { return len(u.checks) > 0 }

// allows reports whether name has this password. An unknown name takes as long
// as a known one. No more than a few hashes are computed at a time.
func (u *users) allows(ctx context.Context, name, password string) bool {
	login := u.sum(name + "\x00" + password)
	if _, ok := u.known.get(login); ok {
		return true
	}
	if u.slow {
		select {
		case u.slots <- struct{}{}:
			defer func() { <-u.slots }()
		case <-ctx.Done():
			return false
		}
	}
	c, exists := u.checks[name]
	if !exists {
		c = u.decoy
	}
	if !c(password) || !exists {
		return false
	}
	u.known.put(login, struct{}{})
	return true
}

// remembers reports whether the password was found right before.
func (u *users) remembers(name, password string) bool {
	_, ok := u.known.get(u.sum(name + "\x00" + password))
	return ok
}

// maxArgonMemory bounds what one password check takes, in KiB.
const maxArgonMemory = 1 << 20

var errArgon = errors.New("password is not an argon2id hash")

// argon2idCheck compares with a hash in the form of the reference program:
// $argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>.
func argon2idCheck(secret string) (check, error) {
	parts := strings.Split(secret, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errArgon
	}
	var memory, time uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3]+"$", "m=%d,t=%d,p=%d$", &memory, &time, &threads); err != nil {
		return nil, errArgon
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	want, errHash := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errHash != nil || len(want) < 16 || memory > maxArgonMemory || time == 0 || threads == 0 {
		return nil, errArgon
	}
	return func(p string) bool {
		return hmac.Equal(argon2.IDKey([]byte(p), salt, time, memory, threads, uint32(len(want))), want)
	}, nil
}
