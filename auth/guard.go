package auth

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	// freeFailures is how many failures of an address or an account cost
	// nothing: somebody tries out a password, a phone has an old one.
	freeFailures = 5
	// refuseFailures is from how many on a failure is answered at once, with
	// TooManyRequests: a delay that others can have in parallel deters nobody,
	// and holds a connection.
	refuseFailures = 30
	// maxFailures is where counting ends, so that forgiving does not take for
	// ever: at one in forgiveEvery, eight minutes.
	maxFailures  = 50
	forgiveEvery = 10 * time.Second

	// The delay of a failure: the first one after the free ones, doubled by
	// each further one, to the last.
	firstDelay = 100 * time.Millisecond
	lastDelay  = 2 * time.Second

	// maxFailing is how many addresses and accounts are counted, at some 200
	// bytes each; who was idle longest is forgotten first.
	maxFailing = 50_000
	// maxAtOnce is how many attempts of an address may be under way before the
	// next ones let those of others go first, as if they had failed: guesses
	// that come all at once have not failed yet.
	maxAtOnce = 8
	// maxDelayed is how many failures are held back at a time.
	maxDelayed = 4096
)

// Authenticator says who a device is, as Devices does.
type Authenticator interface {
	Authenticate(ctx context.Context, c Credentials) (*Device, error)
}

// Guard slows down who fails to authenticate: an address (of IPv6, a /64
// network) and an account (a login, or a client id at an app) may each fail a
// few times for nothing; then every failure takes longer, and at last it is
// refused at once with TooManyRequests. Right credentials are verified first
// and never slowed or refused, whatever has failed before. An expired token is
// no failure: it was right.
//
// An address that has failed often, or tries very often at once, is behind
// others where attempts have to wait: at the hashing of logins' passwords.
//
// It counts in memory, per node, and is safe for concurrent use.
type Guard struct {
	inner    Authenticator
	failures *failures
	underway *underway
	delayed  chan struct{} // held by those who wait
}

// NewGuard returns a guard in front of an authenticator.
func NewGuard(inner Authenticator, now func() time.Time) *Guard {
	return &Guard{
		inner: inner, failures: newFailures(now), underway: newUnderway(), delayed: make(chan struct{}, maxDelayed),
	}
}

// Authenticate verifies credentials. Its faults are those of the authenticator
// and TooManyRequests.
func (g *Guard) Authenticate(ctx context.Context, c Credentials) (*Device, error) {
	address := addressKey(c.Remote)
	n := g.underway.begin(address)
	c.suspect = n > maxAtOnce || g.failures.count(address) > freeFailures
	device, err := g.inner.Authenticate(ctx, c)
	g.underway.end(address)
	if fault.CodeOf(err) != fault.Unauthenticated {
		return device, err
	}
	n = g.failures.add(address, accountKey(&c))
	switch {
	case n <= freeFailures:
		return nil, err
	case n > refuseFailures || !g.delay(ctx, delayAfter(n)):
		return nil, fault.Wrap(fault.TooManyRequests, "too many failures to authenticate", err)
	}
	return nil, err
}

// delay waits; false means that too many do.
func (g *Guard) delay(ctx context.Context, d time.Duration) bool {
	select {
	case g.delayed <- struct{}{}:
	default:
		return false
	}
	defer func() { <-g.delayed }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return true
}

// delayAfter is how long the nth failure takes.
func delayAfter(n int) time.Duration {
	d := firstDelay
	for range n - freeFailures - 1 {
		if d >= lastDelay {
			break
		}
		d *= 2
	}
	return min(d, lastDelay)
}

// addressKey names an address, or the IPv6 /64 network that it is in, for who
// has one address of it has them all.
func addressKey(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		if remote == "" {
			return ""
		}
		return "address " + remote
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return "address " + network.String()
		}
	}
	return "address " + addr.String()
}

// accountKey names what is guessed at. Tokens and certificates have no account
// that could be guessed; at them a client id stands for the device that tries
// again and again. Long names are cut off: they are the client's choice.
func accountKey(c *Credentials) string {
	const most = 256
	name := c.Username
	if !isLogin(name) {
		name += "\x00" + c.ClientID
	}
	return "account " + strings.Clone(name[:min(len(name), most)])
}
