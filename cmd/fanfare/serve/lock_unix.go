//go:build unix

package serve

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the file for as long as it is open, also across a kill -9.
func lock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}
