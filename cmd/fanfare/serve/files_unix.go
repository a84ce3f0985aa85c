//go:build unix

package serve

import (
	"math"

	"golang.org/x/sys/unix"
)

// openFiles raises the limit of open files as far as this process may and
// returns it; 0 means that there is none.
func openFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	if raised := (unix.Rlimit{Cur: limit.Max, Max: limit.Max}); limit.Cur < limit.Max {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &raised); err == nil {
			limit = raised
		}
	}
	if uint64(limit.Cur) > math.MaxInt32 { //nolint:unconvert // it is signed on some systems, and infinity negative
		return 0
	}
	return int(limit.Cur)
}
