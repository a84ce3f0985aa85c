package presence

import (
	"sync/atomic"
	"time"
)

// maxNumber is the highest number that Redis, whose scripts count in doubles,
// keeps exactly. The wall clock is there in the year 2255.
const maxNumber = 1 << 53

// Clock gives out numbers of claims: a hybrid logical clock. A number is the
// time in microseconds, but never at or below one that was given out or heard,
// so that nodes whose clocks disagree still count upwards together. It is safe
// for concurrent use; the zero value is ready.
type Clock struct {
	last atomic.Uint64
}

// Next returns a number above all before.
func (c *Clock) Next() uint64 {
	for {
		last := c.last.Load()
		next := max(uint64(time.Now().UnixMicro()), last+1)
		if c.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Hear takes note of another's number. One that no clock reaches is not
// believed.
func (c *Clock) Hear(number uint64) {
	if number >= maxNumber {
		return
	}
	for {
		last := c.last.Load()
		if number <= last || c.last.CompareAndSwap(last, number) {
			return
		}
	}
}
