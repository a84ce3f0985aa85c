package sim

import (
	"math/rand/v2"
	"time"
)

// chance is a world's only source of randomness.
type chance struct{ *rand.Rand }

func newChance(seed uint64) chance {
	return chance{rand.New(rand.NewPCG(seed, 0x46616e66617265))} //nolint:gosec // a simulation must repeat itself
}

// oneIn is true once in n times; never for 0.
func (c chance) oneIn(n int) bool { return n > 0 && c.IntN(n) == 0 }

// between is a time from least to most.
func (c chance) between(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(c.Int64N(int64(most-least)))
}

// short is a time up to most, and mostly a small part of it, as delays in a
// network are.
func (c chance) short(most time.Duration) time.Duration {
	d := c.between(0, most)
	if c.IntN(8) != 0 {
		d /= 16
	}
	return d
}
