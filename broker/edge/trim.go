package edge

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker/session"
)

// trimInterval is how often it is looked at whether somebody has more
// connections than they may: a limit was lowered, or nodes let devices in at the
// same moment. The nodes have heard of each other's counts by the next time.
const trimInterval = time.Second

// trim ends the newest connections of those who have too many, and had at the
// last look: a device that came in before another node's count was known, and is
// about to leave, is to cost nobody's connection.
func (e *Edge) trim(now time.Time) {
	for _, a := range e.tenants.all(now) {
		limit := a.limits().Connections
		most := over(a.connections, limit)
		lasting := min(most, a.surplus)
		a.surplus = most
		if n := e.part(a, lasting, limit+most); n > 0 && a.trimming.CompareAndSwap(false, true) {
			e.end(a, n)
		}
	}
}

// part is how many of the connections that are too many, of all that there are,
// are this node's to end. What is left of the division falls to it by chance: the
// nodes end about as many as they should together.
func (e *Edge) part(a *account, surplus, all int64) int {
	if surplus == 0 {
		return 0
	}
	part := float64(surplus) * float64(e.tenants.here(a)) / float64(all)
	whole, rest := math.Modf(part)
	if rand.Float64() < rest { //nolint:gosec // chance, not a secret
		whole++
	}
	return int(whole)
}

// end ends the n newest connections that an account has here. Every loop names
// its own, and the last one to answer has the list.
func (e *Edge) end(a *account, n int) {
	var mu sync.Mutex // guards all and left
	var all []*conn
	left := len(e.loops)
	for _, l := range e.loops {
		l.post(event{kind: evDo, do: func(time.Time) {
			mine := l.connsOf(a)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			if left--; left == 0 {
				e.endNewest(a, all, n)
			}
		}})
	}
}

// connsOf lists an account's connections on a loop.
func (l *loop) connsOf(a *account) []*conn {
	var list []*conn
	for c := range l.conns {
		if c.purse != nil && !c.closed && (c.purse.account == a || c.purse.account.org == a) {
			list = append(list, c)
		}
	}
	return list
}

func (e *Edge) endNewest(a *account, all []*conn, n int) {
	slices.SortFunc(all, func(x, y *conn) int { return cmp.Compare(y.turn, x.turn) })
	for _, c := range all[:min(n, len(all))] {
		c.loop.post(event{kind: evDo, do: func(now time.Time) {
			if c.closed {
				return
			}
			e.limit(c.purse.account, limitConnections, 1)
			c.step(func(s *session.Session) { s.Expel(overConnections.reason, now) })
		}})
	}
	a.trimming.Store(false)
}
