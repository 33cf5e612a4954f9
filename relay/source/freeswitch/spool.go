package freeswitch

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"callrelay/relay/source"
)

// DefaultSpool is where the example has mod_json_cdr keep the records that it
// could not post. RELAY_FREESWITCH_SPOOL names another folder.
const DefaultSpool = "/var/spool/freeswitch/relay"

// spoolPatience is how long a record may wait before it is worth a word: the
// example sends them every minute.
const spoolPatience = 3 * time.Minute

// Spooled says how many records wait in the spool and for how long; empty:
// none, or only just now.
func Spooled(now time.Time) string {
	folder := cmp.Or(os.Getenv("RELAY_FREESWITCH_SPOOL"), DefaultSpool)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		return fmt.Sprintf("records of FreeSWITCH may wait: %v", err)
	}
	count, oldest := 0, now
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".cdr.json") {
			count++
			oldest = source.Earlier(oldest, info.ModTime())
		}
	}
	if wait := now.Sub(oldest); count > 0 && wait >= spoolPatience {
		return fmt.Sprintf("records of FreeSWITCH wait in %s: %d, the oldest for %s", folder, count, wait.Truncate(time.Second))
	}
	return ""
}
