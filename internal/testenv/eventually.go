package testenv

import (
	"testing"
	"time"
)

// lookInterval is the pause between two looks at something that comes by itself.
const lookInterval = 2 * time.Millisecond

// Eventually waits until something is so, and fails the test if that takes
// longer than patience. It is for what cannot be waited for in another way.
func Eventually(t testing.TB, patience time.Duration, what string, so func() bool) {
	t.Helper()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for limit := time.After(patience); !so(); {
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("not after %v: %s", patience, what)
		}
	}
}
