package engine

import (
	"os"

	"golang.org/x/sys/unix"
)

// ballastSize is far more than JetStream writes to give up what is finished.
const ballastSize = 2 << 20

// LoadBallast has a file take up a little room, unless it does. When others have
// filled the disk to the last byte, dropping it is what lets JetStream note that
// it gives up what is finished. Where no room can be set aside there is none.
func (f *Folder) LoadBallast() {
	file, err := os.OpenFile(f.ballast(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if unix.Fallocate(int(file.Fd()), 0, 0, ballastSize) != nil {
		f.DropBallast()
	}
}

// DropBallast gives that room back.
func (f *Folder) DropBallast() { _ = os.Remove(f.ballast()) }

func (f *Folder) ballast() string { return f.Path("ballast") }
