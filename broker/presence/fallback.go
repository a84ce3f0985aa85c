package presence

import (
	"context"
	"slices"
)

// Fallback keeps claims in Redis, and on the nodes themselves as well: while
// Redis is away, or may have forgotten some, they are asked. It is safe for
// concurrent use.
type Fallback struct {
	redis     *Redis
	broadcast *Broadcast
}

// NewFallback joins the two.
func NewFallback(r *Redis, b *Broadcast) *Fallback { return &Fallback{r, b} }

// Run keeps Redis in use until ctx ends.
func (f *Fallback) Run(ctx context.Context) error { return f.redis.Run(ctx) }

// Claim makes instance the holder of key; fn gets the claim's number and the
// instance that held the key before, if that is known.
func (f *Fallback) Claim(key, instance string, fn func(number uint64, former string, err error)) {
	f.redis.Hear(f.broadcast.clock.last.Load())
	f.redis.Claim(key, instance, func(number uint64, former string, err error) {
		if err != nil {
			f.broadcast.Claim(key, instance, fn)
			return
		}
		f.broadcast.note(key, instance, number)
		fn(number, former, nil)
	})
}

// Release gives a claim back.
func (f *Fallback) Release(key string, number uint64) {
	f.broadcast.Release(key, number)
	f.redis.Release(key, number)
}

// Holder tells who holds key. Redis alone is believed only when it has not
// been away of late.
func (f *Fallback) Holder(key string, fn func(Holder, error)) {
	f.redis.Holder(key, func(known Holder, err error) {
		if err == nil && f.redis.complete() {
			fn(known, nil)
			return
		}
		f.broadcast.Holder(key, func(found Holder, err error) {
			fn(known.later(found), err)
		})
	})
}

// Assert says again what instance holds; fn gets the claims that another holds
// by now, as far as is known.
func (f *Fallback) Assert(instance string, claims []Claim, fn func(lost []Claim, err error)) {
	f.broadcast.Assert(instance, claims, func(gone []Claim, _ error) {
		rest := claims
		if len(gone) > 0 {
			rest = slices.DeleteFunc(slices.Clone(claims), func(c Claim) bool { return slices.Contains(gone, c) })
		}
		f.redis.Assert(instance, rest, func(lost []Claim, err error) {
			if err != nil {
				lost = nil // Redis is away, and what the node knows is the answer
			}
			fn(append(gone, lost...), nil)
		})
	})
}

// Hear takes note of a number that another claim has.
func (f *Fallback) Hear(number uint64) { f.broadcast.Hear(number) }
