//go:build unix && !netbsd && !openbsd && !solaris

package jetstream

import "syscall"

// freeDisk is the room in bytes that this process may still fill where dir is.
func freeDisk(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec,unconvert // the types differ by platform; a disk has less than 8 EiB
}
