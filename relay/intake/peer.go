package intake

import (
	"os/user"
	"slices"
)

// allowed reports whether a user is among those given by name or number.
func allowed(uid string, users []string) bool {
	return slices.ContainsFunc(users, func(name string) bool {
		if name == uid {
			return true
		}
		u, err := user.Lookup(name)
		return err == nil && u.Uid == uid
	})
}
