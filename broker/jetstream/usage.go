package jetstream

import (
	"sync"
	"sync/atomic"
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
	shared func(org, app string) (retained int, bytes int64) // nil: no limits

	mu  sync.RWMutex // guards all
	all map[string]*account
}

// account is one app's, or an organization's, of all its apps.
type account struct {
	org, app string
	parent   *account // of an app: its organization's
	key      string
	pending  pending // of an organization

	mu        sync.Mutex // guards the fields below
	retention time.Duration
	most      int64           // 0: no limit
	held      map[int64]int64 // bytes by the end of their slot, Unix ms
	sum       int64           // of held
	unwritten map[int64]int64 // the part of held that only this node knows of
	touched   time.Time
	written   time.Time
}

// pending is what of an organization waits for the log.
type pending struct{ messages, bytes atomic.Int64 }

// charge is what one message costs its app's account, and its organization's.
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
	return &accounts{limits: cfg.Log, shared: cfg.Organization, all: make(map[string]*account)}
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
	all := a.ofAll(org, app)
	a.mu.Lock()
	defer a.mu.Unlock()
	if one = a.all[key]; one == nil {
		one = a.open(key, org, app, now)
		one.retention, one.most = retention, most
		if one.parent = a.all[org+organizationMark]; one.parent == nil {
			one.parent = a.open(org+organizationMark, org, app, now)
			one.parent.most = all
		}
	}
	return one
}

// organizationMark follows an organization's name in the key of its account: no
// app has that name.
const organizationMark = "//"

// open makes an account. It is called with mu held.
func (a *accounts) open(key, org, app string, now time.Time) *account {
	o := &account{
		org: org, app: app, key: key, touched: now, held: make(map[int64]int64), unwritten: make(map[int64]int64),
	}
	a.all[key] = o
	return o
}

// ofAll is how many bytes of an organization's apps the log may hold.
func (a *accounts) ofAll(org, app string) int64 {
	if a.shared == nil {
		return 0
	}
	_, bytes := a.shared(org, app)
	return bytes
}

// isOrganization says that an account is an organization's. Its app is one that
// its limits can be asked for by.
func (o *account) isOrganization() bool { return o.parent == nil }

func (o *account) charge(m *broker.Message, now time.Time) (charge, error) {
	c := charge{account: o, until: m.Expires}
	c.bytes = int64(len(m.Payload)+properties(m)+len(m.Publisher)+2*len(m.Topic)) + storedBytes
	ms := now.UnixMilli()
	o.mu.Lock()
	defer o.mu.Unlock()
	if end := ms + o.retention.Milliseconds(); o.retention > 0 && (c.until == 0 || c.until > end) {
		c.until = end
	}
	c.slot = slotOf(c.until, ms)
	if !o.hold(&c, now) {
		return c, broker.ErrAppFull
	}
	o.parent.mu.Lock()
	defer o.parent.mu.Unlock()
	if !o.parent.hold(&c, now) {
		o.add(c.slot, -c.bytes)
		return c, broker.ErrOrganizationFull
	}
	return c, nil
}

// hold counts what a message costs, if there is room. It is called with mu held.
func (o *account) hold(c *charge, now time.Time) bool {
	o.touched = now
	if o.most > 0 && o.sum+c.bytes > o.most {
		if o.forget(now.UnixMilli()); o.sum+c.bytes > o.most {
			return false
		}
	}
	o.add(c.slot, c.bytes)
	return true
}

// refund takes back what was not stored.
func (c charge) refund() {
	if c.account == nil {
		return
	}
	c.account.refund(c)
	c.account.parent.refund(c)
}

func (o *account) refund(c charge) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[c.slot] > 0 || o.unwritten[c.slot] != 0 { // not expired meanwhile
		o.add(c.slot, -c.bytes)
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
