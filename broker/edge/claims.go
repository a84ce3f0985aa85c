package edge

import "github.com/fanfare-mq/fanfare/broker/presence"

// Claims know which instance holds a session key. Answers come later or at
// once, from any goroutine.
type Claims interface {
	// Claim makes instance the holder of key. The claim's number is above that
	// of every earlier claim; former held the key, if that is known.
	Claim(key, instance string, fn func(number uint64, former string, err error))
	// Release gives a claim back.
	Release(key string, number uint64)
	// Holder tells who holds key; nobody has no instance.
	Holder(key string, fn func(presence.Holder, error))
	// Assert says again what instance holds, about once a minute and at least
	// every presence.Lifetime; fn gets what another holds by now.
	Assert(instance string, claims []presence.Claim, fn func(lost []presence.Claim, err error))
	// Hear takes note of the number of a claim that another node announced.
	Hear(number uint64)
}

var (
	_ Claims = (*presence.Memory)(nil)
	_ Claims = (*presence.Broadcast)(nil)
	_ Claims = (*presence.Fallback)(nil)
)
