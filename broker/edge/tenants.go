package edge

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/meter"
	"github.com/fanfare-mq/fanfare/tenant"
)

// tenants are the organizations and apps that have devices on this node, with
// what they use of it. What all nodes have to know together is the meter's.
type tenants struct {
	meter *meter.Meter
	loops int

	mu   sync.Mutex // guards the fields below, and open and left of every account
	orgs map[string]*account
	apps map[string]*account // by "org/app"
	// known has orgs once more, for those who come with every message.
	known sync.Map
	// strangers get what is no organization's that has devices here.
	strangers *account
}

// account is what one app or one organization uses.
type account struct {
	name string   // "acme/chat", or "acme"
	org  *account // of an app; nil: this is an organization's
	open int      // connections here
	left time.Time

	// app is where the limits are read, always the newest; of an organization it
	// is the app that was last connected to.
	app atomic.Pointer[auth.App]
	now atomic.Pointer[bounds]

	connections, subscriptions        *meter.Count
	connects, messages, bytes, fanout *meter.Rate

	closed   atomic.Pointer[closure] // to new connections, for a moment
	warned   atomic.Int64            // when it was last said, Unix ns
	held     atomic.Int32            // connections whose refusal waits
	trimming atomic.Bool
	surplus  int64 // connections too many at the last look; house's
	sessions census
	used     traffic
	limited  atomic.Int64 // refusals, pauses and drops

	// Of an organization: deliveries that wait, on each loop and of all.
	lines   []line
	backlog atomic.Int64
}

// bounds are the limits that hold for an app, as they were at one time.
type bounds struct {
	entry    *tenant.Entry
	app, org tenant.Limits
	said     session.Bounds // of what clients say, by both
	metered  bool           // what is published is counted
}

// forgetAfter is how long an organization is remembered that has no devices
// here, so that what it has used stays told for a while.
const forgetAfter = 10 * time.Minute

func newTenants(m *meter.Meter, loops int) *tenants {
	t := &tenants{meter: m, loops: loops, orgs: make(map[string]*account), apps: make(map[string]*account)}
	t.strangers = t.account("", nil)
	return t
}

// account makes one. Its handles name what the cluster counts.
func (t *tenants) account(name string, org *account) *account {
	a := &account{
		name: name, org: org,
		connections: t.meter.Count(name + " connections"), subscriptions: t.meter.Count(name + " subscriptions"),
		connects: t.meter.Rate(name + " connect_rate"), messages: t.meter.Rate(name + " publish_rate"),
		bytes: t.meter.Rate(name + " publish_bytes"), fanout: t.meter.Rate(name + " fanout_bytes"),
	}
	if org == nil {
		a.lines = make([]line, t.loops)
	}
	return a
}

// enter counts one more connection of an app, and returns its account.
func (t *tenants) enter(app *auth.App) *account {
	prefix := app.Entry().App.TopicPrefix()
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.apps[prefix]
	if a == nil {
		a = t.account(prefix, t.organization(app.Entry().App.Organization))
		t.apps[prefix] = a
	}
	for _, x := range []*account{a, a.org} {
		x.app.Store(app)
		x.open++
		x.connections.Add(1)
	}
	return a
}

// organization finds an organization, or makes its account. It is called with mu
// held.
func (t *tenants) organization(slug string) *account {
	org := t.orgs[slug]
	if org == nil {
		org = t.account(slug, nil)
		t.orgs[slug] = org
		t.known.Store(slug, org)
	}
	return org
}

// leave takes a connection back.
func (t *tenants) leave(a *account, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range []*account{a, a.org} {
		x.open--
		x.left = now
		x.connections.Add(-1)
	}
}

// of is the account of the organization that a topic is of.
func (t *tenants) of(name string) *account {
	slug, _, _ := strings.Cut(name, "/")
	if org, ok := t.known.Load(slug); ok {
		return org.(*account) //nolint:forcetypeassert,errcheck // the map holds nothing else
	}
	return t.strangers
}

// find returns the account of the app that a user name names, if it has been
// seen here.
func (t *tenants) find(username string) *account {
	org, rest, _ := strings.Cut(username, "/")
	app, _, _ := strings.Cut(rest, "/")
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.apps[username[:min(len(org)+1+len(app), len(username))]]
}

// all lists the accounts, and forgets those that nobody has used for a while.
func (t *tenants) all(now time.Time) []*account {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*account, 0, len(t.apps)+len(t.orgs))
	for _, accounts := range []map[string]*account{t.apps, t.orgs} {
		for name, a := range accounts {
			if a.open > 0 || now.Sub(a.left) < forgetAfter {
				list = append(list, a)
				continue
			}
			delete(accounts, name)
			if a.org == nil {
				t.known.Delete(name)
			}
		}
	}
	return list
}

// bounds are an app's of now.
func (a *account) bounds() *bounds {
	entry := a.app.Load().Entry()
	if b := a.now.Load(); b != nil && b.entry == entry {
		return b
	}
	b := &bounds{entry: entry, app: entry.App.Settings.Limits(), org: entry.Limits}
	b.said = session.Bounds{
		TopicLevels: int(tenant.Smaller(b.app.TopicLevels, b.org.TopicLevels)),
		TopicBytes:  int(tenant.Smaller(b.app.TopicBytes, b.org.TopicBytes)),
		Payload:     int(tenant.Smaller(b.app.PayloadBytes, b.org.PayloadBytes)),
	}
	b.metered = b.app.PublishRate|b.app.PublishBytes|b.org.PublishRate|b.org.PublishBytes != 0
	a.now.Store(b)
	return b
}

// limits are an app's own, or an organization's.
func (a *account) limits() tenant.Limits {
	entry := a.app.Load().Entry()
	if a.org == nil {
		return entry.Limits
	}
	return entry.App.Settings.Limits()
}

// here is how many connections of an account are this node's.
func (t *tenants) here(a *account) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return a.open
}
