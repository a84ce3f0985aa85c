package edge

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Admission bounds what strangers can cost a node. A connection is half-open
// until a CONNECT of it was accepted: that includes its PROXY header, its TLS
// handshake, its WebSocket upgrade and its authentication.
//
// Nothing here slows good connects: a load balancer or a network behind one
// address may bring any number of them a second.
type Admission struct {
	// MaxConnections is how many connections may be open at once; 0: no bound.
	MaxConnections int
	// MaxHalfOpen is how many of them may be half-open.
	MaxHalfOpen int
	// MaxHalfOpenPerAddress is how many may be half-open from one IPv4 address
	// or IPv6 /64 network.
	MaxHalfOpenPerAddress int
	// MaxFailures is how many connections from one address may end half-open
	// per second. An address that exceeds it for longer than a burst may have
	// only a twentieth of MaxHalfOpenPerAddress until it has calmed down.
	MaxFailures int
}

// DefaultAdmission admits 20,000 clients that connect at the same moment from
// one address, and 30,000 connects a second.
func DefaultAdmission() Admission {
	return Admission{
		MaxHalfOpen:           50_000, // some 10 KB each: half a gigabyte at worst
		MaxHalfOpenPerAddress: 25_000,
		MaxFailures:           100, // a fleet with an expired token, retrying
	}
}

// filled returns a with defaults for what is not set.
func (a Admission) filled() Admission {
	d := DefaultAdmission()
	for _, f := range []struct{ value, standard *int }{
		{&a.MaxHalfOpen, &d.MaxHalfOpen},
		{&a.MaxHalfOpenPerAddress, &d.MaxHalfOpenPerAddress},
		{&a.MaxFailures, &d.MaxFailures},
	} {
		if *f.value == 0 {
			*f.value = *f.standard
		}
	}
	return a
}

const (
	// failureBurst is how many seconds' worth of failures come free.
	failureBurst = 10
	// failingShare divides the half-open bound of an address that keeps failing.
	failingShare = 20
	// warnEvery bounds the lines about refused connections; the metric has
	// them all.
	warnEvery = 10 * time.Second
)

// The reasons of fanfare_mqtt_connections_refused_total; accept_error is the
// listener's.
const (
	fullNode     = "max_connections"
	fullHalfOpen = "half_open"
	fullAddress  = "half_open_address"
)

// admission keeps the node's count of sockets. Listeners let sockets enter,
// the loops say accepted, and closing a socket says leave by itself.
type admission struct {
	limits  Admission
	refused *prometheus.CounterVec
	log     *slog.Logger

	mu      sync.Mutex // guards the fields below and those of every crowd
	open    int        // sockets
	waiting int        // half-open ones of them
	crowds  map[netip.Prefix]*crowd
	sweepAt int // crowds are swept when there are so many
	warned  time.Time
}

// crowd is what is known of one address: while it has half-open connections or
// failures that are not forgotten.
type crowd struct {
	key      netip.Prefix
	waiting  int
	failures float64 // not forgiven yet, as of since
	since    time.Time
}

// sweepLeast is how many crowds are not worth sweeping.
const sweepLeast = 1024

func newAdmission(limits Admission, refused *prometheus.CounterVec, log *slog.Logger) *admission {
	return &admission{
		limits: limits.filled(), refused: refused, log: log,
		crowds: make(map[netip.Prefix]*crowd), sweepAt: sweepLeast,
	}
}

// enter makes a guest of an accepted socket, or closes it and returns nil.
// The address of a guest from a proxy is not known yet: arrived says it.
func (a *admission) enter(nc net.Conn, proxied bool) *guest {
	g := &guest{Conn: nc, admission: a, since: time.Now(), remote: nc.RemoteAddr()}
	if reason := a.seat(g, proxied); reason != "" {
		a.turnAway(g, reason)
		_ = nc.Close()
		return nil
	}
	return g
}

// seat counts g in, or returns why there is no place for it.
func (a *admission) seat(g *guest, proxied bool) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.limits.MaxConnections > 0 && a.open >= a.limits.MaxConnections:
		return fullNode
	case a.waiting >= a.limits.MaxHalfOpen:
		return fullHalfOpen
	case !proxied && !a.join(g):
		return fullAddress
	}
	a.open++
	a.waiting++
	return ""
}

// arrived counts a guest whose address was said by its PROXY header, or closes
// it and returns false.
func (a *admission) arrived(g *guest) bool {
	a.mu.Lock()
	ok := g.stage != halfOpen || a.join(g)
	a.mu.Unlock()
	if !ok {
		a.turnAway(g, fullAddress)
		_ = g.Close()
	}
	return ok
}

// accepted takes a transport's guest out of the half-open ones. Its loop calls
// it once, after the CONNACK that accepts the client.
func (a *admission) accepted(t *transport) {
	g := t.guest
	a.mu.Lock()
	defer a.mu.Unlock()
	if g.stage != halfOpen {
		return
	}
	g.stage = seated
	a.waiting--
	if c := g.crowd; c != nil {
		a.part(g)
		c.failures = max(c.failures-1, 0) // who also succeeds is no attacker
		a.forget(c)
	}
}

// excuse takes a transport's guest out of the half-open ones, as it is none's to
// fail: it is turned away for a limit of its app.
func (a *admission) excuse(t *transport) {
	g := t.guest
	a.mu.Lock()
	defer a.mu.Unlock()
	if g.stage != halfOpen {
		return
	}
	g.stage = seated
	a.waiting--
	if c := g.crowd; c != nil {
		a.part(g)
		a.forget(c)
	}
}

// leave gives a guest's place back: guest.Close calls it.
func (a *admission) leave(g *guest) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	if g.stage == halfOpen {
		a.waiting--
		if c := g.crowd; c != nil {
			a.part(g)
			a.forgive(c, now)
			// No more than twice the burst: an address that stops is free soon.
			c.failures = min(c.failures+1, float64(2*failureBurst*a.limits.MaxFailures))
			a.sweep(now)
		}
	}
	g.stage = departed
}

// join adds g to the crowd of its address, if that may have one more.
func (a *admission) join(g *guest) bool {
	key := network(address(g.remote))
	c := a.crowds[key]
	if c == nil {
		c = &crowd{key: key, since: g.since}
		a.crowds[key] = c
	}
	bound := a.limits.MaxHalfOpenPerAddress
	if a.forgive(c, g.since); c.failures > float64(failureBurst*a.limits.MaxFailures) {
		bound = max(bound/failingShare, 1)
	}
	if c.waiting >= bound {
		return false
	}
	c.waiting++
	g.crowd = c
	return true
}

func (a *admission) part(g *guest) {
	g.crowd.waiting--
	g.crowd = nil
}

// forgive lets failures fade with time.
func (a *admission) forgive(c *crowd, now time.Time) {
	if d := now.Sub(c.since); d > 0 {
		c.failures = max(c.failures-d.Seconds()*float64(a.limits.MaxFailures), 0)
		c.since = now
	}
}

// forget drops a crowd of which nothing is to be remembered.
func (a *admission) forget(c *crowd) {
	if c.waiting == 0 && c.failures == 0 {
		delete(a.crowds, c.key)
	}
}

// sweep forgets what has faded, when the crowds have doubled since the last
// time: addresses that come and go cost memory for a few seconds only.
func (a *admission) sweep(now time.Time) {
	if len(a.crowds) < a.sweepAt {
		return
	}
	for _, c := range a.crowds {
		a.forgive(c, now)
		a.forget(c)
	}
	a.sweepAt = max(2*len(a.crowds), sweepLeast)
}

// turnAway counts a refused socket and says so now and then.
func (a *admission) turnAway(g *guest, reason string) {
	a.refused.WithLabelValues(reason).Inc()
	now := time.Now()
	a.mu.Lock()
	warn := now.Sub(a.warned) >= warnEvery
	if warn {
		a.warned = now
	}
	open, waiting := a.open, a.waiting
	a.mu.Unlock()
	if warn {
		a.log.Warn("connections are turned away", slog.String("reason", reason), slog.String("remote", g.remote.String()),
			slog.Int("open", open), slog.Int("half_open", waiting))
	}
}

// network is what counts as one address: an IPv6 client has a /64 to itself.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.WithZone("").Prefix(bits) // fails for an invalid address only: all those are one
	return p
}
