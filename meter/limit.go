package meter

import "time"

// A Limit is a rate with what it allows in a second; 0 is no limit.
type Limit struct {
	Rate      *Rate
	PerSecond int64
}

// TakeAll takes n of all limits, or of none: an app's and its organization's
// must both admit. wait is that of the first which refuses.
func TakeAll(n int64, now time.Time, limits ...Limit) (ok bool, wait time.Duration) {
	for i, limit := range limits {
		taken, more := limit.Rate.Take(n, limit.PerSecond, now)
		if taken {
			continue
		}
		GiveAll(n, limits[:i]...)
		return false, more
	}
	return true, 0
}

// GiveAll gives back n of all limits that were taken and not used.
func GiveAll(n int64, limits ...Limit) {
	for _, limit := range limits {
		limit.Rate.Give(n, limit.PerSecond)
	}
}

// DebitAll takes n of all limits, whether they are there or not. wait is the
// longest.
func DebitAll(n int64, now time.Time, limits ...Limit) (wait time.Duration) {
	for _, limit := range limits {
		wait = max(wait, limit.Rate.Debit(n, limit.PerSecond, now))
	}
	return wait
}
