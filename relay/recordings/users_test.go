package recordings

import (
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"callrelay/config"
)

// argonHash is one of the reference program's own tests, of "password".
const argonHash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func userList(t testing.TB, secrets ...string) []config.User {
	t.Helper()
	var list []config.User
	for i, secret := range secrets {
		list = append(list, config.User{Name: string(rune('a' + i)), Password: config.NewSecret(secret)})
	}
	return list
}

func TestUsers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("password"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	u, err := newUsers(userList(t, "password", string(hash), argonHash, ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, password string
		want           bool
	}{
		{"a", "password", true},
		{"b", "password", true},
		{"c", "password", true},
		{"a", "passwore", false},
		{"b", "passwore", false},
		{"c", "passwore", false},
		{"b", string(hash), false},
		{"c", argonHash, false},
		{"a", "", false},
		{"d", "", false}, // has no password
		{"e", "password", false},
		{"", "", false},
	} {
		for range 2 { // the second time from memory
			if got := u.allows(t.Context(), test.name, test.password); got != test.want {
				t.Errorf("allows(%q, %q) = %v, want %v", test.name, test.password, got, test.want)
			}
		}
	}
}

// TestPasswordIsCheckedOnce shows that a right password costs its hash once,
// as long as the configuration stays.
func TestPasswordIsCheckedOnce(t *testing.T) {
	u, err := newUsers(userList(t, argonHash))
	if err != nil {
		t.Fatal(err)
	}
	checks := 0
	check := u.checks["a"]
	u.checks["a"] = func(p string) bool { checks++; return check(p) }
	for range 100 {
		if !u.allows(t.Context(), "a", "password") {
			t.Fatal("right password refused")
		}
	}
	for range 3 {
		u.allows(t.Context(), "a", "wrong")
	}
	if checks != 4 {
		t.Errorf("password checked %d times, want once, and 3 times for wrong ones", checks)
	}
}

// TestUnknownUserCostsAHash shows that an unknown name is as slow as a known
// one, and that a client which hangs up does not wait for its turn.
func TestUnknownUserCostsAHash(t *testing.T) {
	u, err := newUsers(userList(t, argonHash))
	if err != nil {
		t.Fatal(err)
	}
	checks := 0
	u.decoy = func(string) bool { checks++; return true }
	if u.allows(t.Context(), "nobody", "password") || checks != 1 {
		t.Errorf("unknown name was let in or not checked: %d checks", checks)
	}
	for range cap(u.slots) {
		u.slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if u.allows(ctx, "a", "password") || checks != 1 {
		t.Error("checked without a turn")
	}
}

func TestHashesThatAreNone(t *testing.T) {
	for _, secret := range []string{
		"$2b$", "$2a$10$tooshort", "$argon2i$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$", "$argon2id$v=16$m=1,t=1,p=1$a$b",
		"$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=1024,t=0,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$AAAA", "$argon2id$v=19$m=1024,t=2,p=1,x=3$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
	} {
		_, err := newUsers(userList(t, secret))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("newUsers(%s) = %v, want an error without the secret", secret, err)
		}
		c := testConfig(t)
		c.Users = userList(t, secret)
		if _, err := Open(c, Options{}); err == nil {
			t.Errorf("Open with %s = nil", secret)
		}
	}
}
