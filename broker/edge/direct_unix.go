//go:build unix

package edge

import "syscall"

// direct writes as much of p as the socket takes without waiting and returns
// how much that was. An error is left for the reader and the writer to find.
func (t *transport) direct(p []byte) int {
	if t.raw == nil {
		return 0
	}
	written := 0
	_ = t.raw.Write(func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), p)
		if err == nil && n > 0 {
			written = n
		}
		return true // never wait here
	})
	return written
}
