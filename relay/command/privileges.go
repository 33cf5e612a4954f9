package command

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// becomeOwner makes a command that works on a queue's folder itself one of the
// folder's owner, when root runs it: files that root makes there would keep the
// relay from starting, and root does not follow where another user's links lead.
// Any other user must be the owner. What only root may read is opened before.
func becomeOwner(dir string) error {
	owner, err := ownerOf(dir)
	if err != nil {
		return err
	}
	switch uid := os.Geteuid(); {
	case int(owner.Uid) == uid:
		return nil
	case uid == 0:
		return become(owner)
	}
	return hintError{
		fmt.Errorf("%s belongs to %s", dir, userName(owner.Uid)),
		"as that user or as root",
	}
}

// ownerOf returns the owner of a folder, or of the one that it will be made in.
func ownerOf(dir string) (*syscall.Stat_t, error) {
	info, err := os.Stat(dir)
	for errors.Is(err, os.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	if err != nil {
		return nil, err
	}
	return info.Sys().(*syscall.Stat_t), nil
}

// become gives up root for good.
func become(owner *syscall.Stat_t) error {
	err := errors.Join(
		syscall.Setgroups(nil), syscall.Setgid(int(owner.Gid)), syscall.Setuid(int(owner.Uid)), // in this order
	)
	if err != nil {
		return fmt.Errorf("become %s: %w", userName(owner.Uid), err)
	}
	return nil
}

func userName(uid uint32) string {
	id := strconv.Itoa(int(uid))
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}
