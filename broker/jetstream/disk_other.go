//go:build !unix || netbsd || openbsd || solaris

package jetstream

import "math"

// freeDisk does not know on this platform: only MaxBytes bounds the log.
func freeDisk(string) (int64, error) { return math.MaxInt64, nil }
