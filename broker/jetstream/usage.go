package jetstream

import (
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

const (
	// slotHour and slotDay are how exactly it is known when messages go: those
	// that have more than slotExact left by the day, so that an account has a
	// few hundred figures at most.
	slotHour  = int64(time.Hour / time.Millisecond)
	slotDay   = 24 * slotHour
	slotExact = 2 * slotDay
	// storedBytes is what the log needs for a message beside payload, properties
	// and topic: subject, headers and envelope, about.
	storedBytes = 200
)

// accounts tell how long the log keeps an app's messages and how many bytes of
// them it holds. A message counts in the slot of time at whose end it is gone,
// so that what expires needs no count. Other nodes are heard of when an account
// is written; see books.
type accounts struct {
	limits func(org, app string) (retention time.Duration, bytes int64)

	mu  sync.RWMutex // guards all
	all map[string]*account
}

// account is one app's.
type account struct {
	org, app string

	mu        sync.Mutex // guards the fields below
	retention time.Duration
	most      int64           // 0: no limit
	held      map[int64]int64 // bytes by the end of their slot, Unix ms
	sum       int64           // of held
	unwritten map[int64]int64 // the part of held that only this node knows of
	touched   time.Time
	written   time.Time
}

// charge is what one message costs its app's account.
type charge struct {
	account *account
	until   int64 // when the log forgets the message, Unix ms; 0: when the stream does
	slot    int64
	bytes   int64
}

func newAccounts(cfg Config) *accounts {
	if cfg.Log == nil {
		return nil
	}
	return &accounts{limits: cfg.Log, all: make(map[string]*account)}
}

// charge counts a message, or returns broker.ErrAppFull. Without accounts it
// only tells the message's own deadline.
func (a *accounts) charge(m *broker.Message, now time.Time) (charge, error) {
	if a == nil {
		return charge{until: m.Expires}, nil
	}
	return a.of(m.Topic, now).charge(m, now)
}

// of finds or opens the account of a topic's app. The first message of an app
// has its limits asked for.
func (a *accounts) of(name string, now time.Time) *account {
	org, app := appOf(name)
	key := name[:min(len(org)+1+len(app), len(name))]
	a.mu.RLock()
	one := a.all[key]
	a.mu.RUnlock()
	if one != nil {
		return one
	}
	retention, most := a.limits(org, app)
	a.mu.Lock()
	defer a.mu.Unlock()
	if one = a.all[key]; one == nil {
		one = &account{
			org: org, app: app, retention: retention, most: most, touched: now,
			held: make(map[int64]int64), unwritten: make(map[int64]int64),
		}
		a.all[key] = one
	}
	return one
}

func (o *account) charge(m *broker.Message, now time.Time) (charge, error) {
	c := charge{account: o, until: m.Expires}
	c.bytes = int64(len(m.Payload)+properties(m)+len(m.Publisher)+2*len(m.Topic)) + storedBytes
	ms := now.UnixMilli()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.touched = now
	if end := ms + o.retention.Milliseconds(); o.retention > 0 && (c.until == 0 || c.until > end) {
		c.until = end
	}
	if o.most > 0 && o.sum+c.bytes > o.most {
		if o.forget(ms); o.sum+c.bytes > o.most {
			return c, broker.ErrAppFull
		}
	}
	c.slot = slotOf(c.until, ms)
	o.add(c.slot, c.bytes)
	return c, nil
}

// refund takes back what was not stored.
func (c charge) refund() {
	if c.account == nil {
		return
	}
	c.account.mu.Lock()
	defer c.account.mu.Unlock()
	if c.account.held[c.slot] > 0 || c.account.unwritten[c.slot] != 0 { // not expired meanwhile
		c.account.add(c.slot, -c.bytes)
	}
}

func (o *account) add(slot, bytes int64) {
	o.sum += bytes
	o.held[slot] += bytes
	o.unwritten[slot] += bytes
}

// forget drops what is gone by now.
func (o *account) forget(now int64) {
	for slot, bytes := range o.held {
		if slot <= now {
			o.sum -= bytes
			delete(o.held, slot)
			delete(o.unwritten, slot)
		}
	}
}

// slotOf is the end of the slot of time in which a message goes.
func slotOf(until, now int64) int64 {
	size := slotHour
	if until-now > slotExact {
		size = slotDay
	}
	return (until + size - 1) / size * size
}
