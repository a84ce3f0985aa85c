package edge

import (
	"math"
	"time"

	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/meter"
)

// purse is what a loop pays from for the deliveries to one app's devices. While
// it is dry, what has QoS 0 is dropped and sessions are treated as if their
// transport were congested: they fall behind, and read on from the log when
// there is something in it again. Everything in it belongs to its loop.
type purse struct {
	loop    *loop
	account *account
	conns   int
	touched bool    // in loop.touched
	dry     bool    // until refill
	blocked []*conn // whose sessions wait for that, the longest first
	spent   int64   // bytes that are not paid for yet
	step    int64   // as many are paid for at once

	messagesIn, bytesIn, messagesOut, bytesOut int64 // not told yet
}

const (
	// purseSteps is into how many payments a second's worth is divided: so much
	// more than it may a tenant is sent at a time by each loop.
	purseSteps = 50
	// purseDebts bounds the seconds that a single payment can put a tenant into
	// debt for: what went out cannot be taken back.
	purseDebts = 30
	// refillLeast keeps loops from being woken for every small coin.
	refillLeast = 5 * time.Millisecond
)

// purse returns the loop's for an app, for one more connection.
func (l *loop) purse(a *account) *purse {
	p := l.purses[a]
	if p == nil {
		p = &purse{loop: l, account: a, step: math.MaxInt64}
		l.purses[a] = p
		p.settle(time.Now()) // learns the step
	}
	p.conns++
	return p
}

// leave takes a connection out.
func (p *purse) leave() {
	if p.conns--; p.conns == 0 {
		p.settle(time.Now())
		delete(p.loop.purses, p.account)
	}
}

// pay counts what was sent to a device.
func (p *purse) pay(messages, bytes uint32) {
	p.touch()
	p.messagesOut += int64(messages)
	p.bytesOut += int64(bytes)
	if p.spent += int64(bytes); p.spent >= p.step {
		p.charge(time.Now())
	}
}

// took counts what was published by a device.
func (p *purse) took(bytes int) {
	p.touch()
	p.messagesIn++
	p.bytesIn += int64(bytes)
}

func (p *purse) touch() {
	if !p.touched {
		p.touched = true
		p.loop.touched = append(p.loop.touched, p)
	}
}

// settle tells what went through since it was last asked, and pays.
func (p *purse) settle(now time.Time) {
	p.touched = false
	for _, a := range []*account{p.account, p.account.org} {
		a.used.messagesIn.Add(p.messagesIn)
		a.used.bytesIn.Add(p.bytesIn)
		a.used.messagesOut.Add(p.messagesOut)
		a.used.bytesOut.Add(p.bytesOut)
	}
	p.messagesIn, p.bytesIn, p.messagesOut, p.bytesOut = 0, 0, 0, 0
	p.charge(now)
}

// charge pays for what was spent. Without anything left the purse is dry for as
// long as it takes.
func (p *purse) charge(now time.Time) {
	b := p.account.bounds()
	app, org := b.app.FanoutBytes, b.org.FanoutBytes
	spent := p.spent
	p.spent, p.step = 0, math.MaxInt64
	if app == 0 && org == 0 {
		return
	}
	for _, limit := range []int64{app, org} {
		if limit > 0 {
			p.step = min(p.step, max(limit/purseSteps, 1))
		}
	}
	wait := max(debit(p.account.fanout, spent, app, now), debit(p.account.org.fanout, spent, org, now))
	if wait == 0 || p.dry {
		return
	}
	p.dry = true
	p.loop.edge.limit(p.account, limitFanout, 1)
	time.AfterFunc(max(wait, refillLeast), func() {
		p.loop.post(event{kind: evDo, do: p.refill})
	})
}

// left is how many bytes there are to spend at once, 1 at least.
func (p *purse) left(now time.Time) uint32 {
	if p.step == math.MaxInt64 {
		return math.MaxUint32
	}
	p.charge(now)
	b := p.account.bounds()
	least := int64(math.MaxUint32)
	for _, l := range []meter.Limit{
		{Rate: p.account.fanout, PerSecond: b.app.FanoutBytes}, {Rate: p.account.org.fanout, PerSecond: b.org.FanoutBytes},
	} {
		if l.PerSecond > 0 {
			n, _ := l.Rate.Left(l.PerSecond, now)
			least = min(least, n)
		}
	}
	return uint32(max(least, 1))
}

// debit takes n from a rate that holds no more than a second's worth: the rest
// is a debt.
func debit(r *meter.Rate, n, perSecond int64, now time.Time) (wait time.Duration) {
	for i := 0; n > 0 && perSecond > 0 && i < purseDebts; i++ {
		wait = r.Debit(min(n, perSecond), perSecond, now)
		n -= perSecond
	}
	return wait
}

// refill lets sessions go on, one after the other, until the purse is dry again.
func (p *purse) refill(now time.Time) {
	p.dry = false
	waiting := p.blocked
	p.blocked = nil
	for i, c := range waiting {
		if p.dry {
			p.blocked = append(waiting[i:len(waiting):len(waiting)], p.blocked...)
			return
		}
		c.blocked = false
		if c.closed || c.congested {
			continue // gone, or its transport has the next word
		}
		c.step(func(s *session.Session) { s.Drained(now) })
		c.countDrops()
		c.report(true)
	}
}

// hold makes a session wait while its tenant's purse is dry. It is called before
// anything that could make it send.
func (c *conn) hold() {
	if c.purse == nil || !c.purse.dry || c.blocked || c.closed {
		return
	}
	c.blocked = true
	c.purse.blocked = append(c.purse.blocked, c)
	c.session.Congest()
	c.report(true)
}

// full reports whether nothing should go out now.
func (c *conn) full() bool { return c.congested || c.blocked }
