package edge

import (
	"context"
	"log/slog"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// Above serves those who are above the wall.
type Above interface {
	// Shard is the stream of the log that holds an organization's messages; or
	// fault.NotFound. It may wait.
	Shard(ctx context.Context, org string) (uint16, error)
	// Note accounts for a use, and does not wait.
	Note(entry tenant.AuditEntry)
}

// above is what a super-client has beside other clients. It belongs to the
// connection's loop.
type above struct {
	conn    *conn
	shards  map[string]place
	noted   map[crossing]time.Time
	waiting []awaited // publishes that wait for a look-up, in order
}

// place is where an organization keeps its messages, as far as that is known.
type place struct {
	shard  uint16
	err    error
	until  time.Time // asked again then
	asking bool
}

// crossing is a use of one kind.
type crossing struct{ organization, action string }

// awaited is a publish that waits until it is known where it goes.
type awaited struct {
	message *broker.Message
	tag     uint64
}

const (
	// placeAge is how long it is believed where an organization keeps its
	// messages, and missAge that there is none. Whoever is asked knows it by
	// heart, and hears when an organization is suspended or gone.
	placeAge = 2 * time.Second
	missAge  = 5 * time.Second
	// maxPlaces bounds how many organizations one connection remembers.
	maxPlaces = 4096
	// crossingAge is how often a connection tells again what it uses; what that
	// is worth in the audit log is decided behind Note.
	crossingAge = time.Minute

	actionPublish = "across.publish"
	actionRead    = "across.read"
)

var (
	errNoOrganization = fault.New(fault.OutsideWall, "there is no such organization")
	errSuspendedThere = fault.New(fault.OutsideWall, "that organization is suspended")
)

// rise makes a connection a super-client's if its login is one and the operator
// allows it.
func (c *conn) rise() {
	e := c.loop.edge
	if org := e.cfg.OperatorOrg; e.deps.Above != nil && c.device.Super && org != "" && c.device.Org == org {
		c.above = &above{conn: c, shards: make(map[string]place), noted: make(map[crossing]time.Time)}
	}
}

// superClient is above the wall, and above the rules of its app.
type superClient struct{}

var _ session.Above = superClient{}

// AboveWall implements session.Above.
func (superClient) AboveWall() {}

// MayPublish implements session.Authorizer. Whether there is such an
// organization is found out later.
func (superClient) MayPublish(name string) bool {
	org := topic.Organization(name)
	return topic.ValidName(name) == nil && org != "" && org[0] != '$' && topic.InsideWall(org, name)
}

// MaySubscribe implements session.Authorizer.
func (superClient) MaySubscribe(filter string) bool {
	return filter != "" && (filter[0] != '$' || topic.Organization(filter) == sysRoot)
}

// holds keeps a publish back until it is known where it goes, and drops one for
// an organization that there is not. It is false for a message that can go.
func (a *above) holds(m *broker.Message, tag uint64) bool {
	org := topic.Organization(m.Topic)
	if len(a.waiting) == 0 && org == a.conn.device.Org {
		return false
	}
	now := time.Now()
	p, known := a.shards[org]
	switch {
	case org == a.conn.device.Org:
		p = place{shard: a.conn.shard}
	case !known || p.asking || now.After(p.until):
		a.wait(m, tag)
		a.ask(org, p)
		return true
	}
	if len(a.waiting) > 0 {
		a.wait(m, tag)
		return true
	}
	if p.err != nil {
		a.refuse(m, tag, p.err)
		return true
	}
	m.Position.Shard = p.shard
	a.note(m.Topic, actionPublish, now)
	return false
}

// wait has the client not read until its message can go.
func (a *above) wait(m *broker.Message, tag uint64) {
	a.waiting = append(a.waiting, awaited{m, tag})
	a.conn.stalled++
}

func (a *above) refuse(m *broker.Message, tag uint64, err error) {
	c := a.conn
	switch fault.CodeOf(err) {
	case fault.NotFound:
		err = errNoOrganization
	case fault.Suspended:
		err = errSuspendedThere
	default: // it says itself what it is
	}
	if tag != 0 {
		c.Published(tag, m, err)
	}
	c.loop.edge.stats.denied.WithLabelValues("publish").Inc()
	if c.complains() {
		c.log().Info("denied", slog.String("packet", "publish"), slog.String("topic", m.Topic), slog.Any("error", err))
	}
}

// ask looks an organization up, off the loop.
func (a *above) ask(org string, p place) {
	if p.asking {
		return
	}
	if len(a.shards) >= maxPlaces {
		clear(a.shards)
	}
	a.shards[org] = place{asking: true}
	e := a.conn.loop.edge
	go func() {
		shard, err := e.deps.Above.Shard(e.ctx, org)
		a.conn.loop.post(event{kind: evDo, do: func(now time.Time) {
			age := placeAge
			if err != nil {
				age = missAge
			}
			a.shards[org] = place{shard: shard, err: err, until: now.Add(age)}
			a.release(now)
		}})
	}()
}

// release hands on what waited, up to what has to wait again.
func (a *above) release(now time.Time) {
	c, waiting := a.conn, a.waiting
	a.waiting = nil
	c.stalled -= len(waiting)
	for _, w := range waiting {
		c.handOn(w.message, w.tag)
	}
	c.readOn(now)
}

// heard notes a message of another organization that the client gets.
func (a *above) heard(name string, now time.Time) { a.note(name, actionRead, now) }

// note accounts for a use in another organization, now and then.
func (a *above) note(name, action string, now time.Time) {
	d := a.conn.device
	org := topic.Organization(name)
	if org == d.Org || org == sysRoot {
		return
	}
	key := crossing{org, action}
	if last, known := a.noted[key]; known && now.Sub(last) < crossingAge {
		return
	}
	if len(a.noted) >= maxPlaces {
		clear(a.noted)
	}
	a.noted[key] = now
	a.conn.loop.edge.deps.Above.Note(tenant.AuditEntry{
		Organization: org, ActorKind: tenant.ActorDevice, Actor: a.conn.username, ActorName: d.User + " " + d.ClientID,
		Address: a.conn.address(), Action: action, Target: name, CreatedAt: now.UTC(),
	})
}
