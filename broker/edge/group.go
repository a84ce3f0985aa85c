package edge

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// group is this node's members of one share group. The bus is asked for as many
// messages as they have room for, and each goes to the member with the fewest
// on their way. What finds no member with room, as that may have changed
// meanwhile, waits in the order of the log.
type group struct {
	edge   *Edge
	key    groupKey
	roster []*member     // all members, for QoS 0; replaced, never changed; guarded by subscriptions.mu
	next   atomic.Uint32 // whose turn it is of them

	// mu guards the fields below and those of the members. The bus's WantGroup
	// and loops' mailboxes are called under it, so that none overtakes another.
	mu      sync.Mutex
	members []*member // a heap: the first is to have the next message
	room    int       // of all members
	turns   uint64
	waiting []parcel // by position
}

// member is one session's subscription to a group.
type member struct {
	conn   *conn
	filter string // as the client wrote it
	group  *group

	// All below is guarded by group.mu.
	place    int    // in members; below 0: not there
	inflight int    // messages on their way to the client, as its loop said last
	room     int    // for how many more, less posted
	posted   int    // messages that its loop has not looked at
	turn     uint64 // when it last got one
	round    uint32 // of parcels: grows when one is refused, so that none overtakes it
}

// parcel is a message for one member of a group.
type parcel struct {
	message *broker.Message
	loan    broker.Loan
	since   time.Time // when it came here
	round   uint32    // of the member it was posted to
}

// returnAfter is how long a message waits here for a member with room.
const returnAfter = time.Second

func newGroup(e *Edge, key groupKey) *group { return &group{edge: e, key: key} }

// enter adds a member, without room yet, if it is not there.
func (g *group) enter(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.place >= 0 {
		return
	}
	m.place = len(g.members)
	g.members = append(g.members, m)
	g.rise(m.place)
}

// exit removes a member. Without any, what waits goes back.
func (g *group) exit(m *member) {
	g.mu.Lock()
	i, last := m.place, len(g.members)-1
	if i < 0 {
		g.mu.Unlock()
		return
	}
	g.swap(i, last)
	g.members[last], g.members = nil, g.members[:last]
	m.place = -1
	g.room -= m.room
	if i < last {
		g.fix(i)
	}
	var back []parcel
	if last == 0 {
		back, g.waiting = g.waiting, nil
	}
	g.dispatch()
	g.mu.Unlock()
	g.back(back)
}

// back returns parcels to the bus. What it does not take is lost: it was this
// node's for good, and there is no member here.
func (g *group) back(parcels []parcel) {
	for _, p := range parcels {
		if !p.loan.Return() {
			g.edge.stats.dropped.WithLabelValues("no_member").Inc()
		}
	}
}

// put takes a message of the bus in.
func (g *group) put(p parcel) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.members) == 0 { // the last one left at this moment
		g.back([]parcel{p})
		return
	}
	g.wait(p)
	g.dispatch()
}

// wait puts a parcel in its place. It is called with mu held.
func (g *group) wait(p parcel) {
	i, _ := slices.BinarySearchFunc(g.waiting, p, func(a, b parcel) int {
		return cmp.Compare(a.message.Position.Seq, b.message.Position.Seq)
	})
	g.waiting = slices.Insert(g.waiting, i, p)
}

// dispatch posts what waits to members with room, and tells the bus how much is
// left. It is called with mu held.
func (g *group) dispatch() {
	n := 0
	for ; n < len(g.waiting) && len(g.members) > 0 && g.members[0].room > 0; n++ {
		g.post(g.members[0], g.waiting[n])
		g.waiting[n] = parcel{}
	}
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil
	}
	g.edge.deps.Bus.WantGroup(g.key.name, g.key.filter, max(0, g.room-len(g.waiting)))
}

func (g *group) post(m *member, p parcel) {
	g.turns++
	m.turn = g.turns
	m.posted++
	g.set(m, m.inflight, m.room-1)
	p.round = m.round
	m.conn.loop.post(event{kind: evDo, do: func(now time.Time) { m.take(p, now) }})
}

// set notes what a member has on its way and room for.
func (g *group) set(m *member, inflight, room int) {
	g.room += room - m.room
	m.inflight, m.room = inflight, room
	g.fix(m.place)
}

// take offers a parcel to the member's session, on its loop.
func (m *member) take(p parcel, now time.Time) {
	c, g := m.conn, m.group
	g.mu.Lock()
	m.posted--
	late := p.round != m.round
	g.mu.Unlock()
	c.hold()
	if late || c.closed || !c.session.DeliverShared(m.filter, p.message, p.loan, c.full(), now) {
		g.refused(m, p, late)
	} else {
		c.settle()
	}
	c.report(true)
	c.countDrops()
}

// refused takes a parcel back that the member had no room for. Those that were
// posted behind it come back too.
func (g *group) refused(m *member, p parcel, late bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !late {
		m.round++
	}
	if m.place >= 0 {
		g.set(m, m.inflight, min(m.room, 0))
	}
	if len(g.members) == 0 {
		g.back([]parcel{p})
		return
	}
	g.wait(p)
	g.dispatch()
}

// report notes how a member's session is doing.
func (g *group) report(m *member, inflight, room int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.place < 0 {
		return
	}
	g.set(m, inflight, max(0, room-m.posted))
	g.dispatch()
}

// sweep returns what has waited for too long.
func (g *group) sweep(now time.Time) {
	g.mu.Lock()
	var kept []parcel
	var back []parcel
	for _, p := range g.waiting {
		if now.Sub(p.since) >= returnAfter {
			back = append(back, p)
		} else {
			kept = append(kept, p)
		}
	}
	if len(back) > 0 {
		g.waiting = kept
	}
	g.mu.Unlock()
	for _, p := range back {
		if !p.loan.Return() { // nobody else can have it
			p.since = now
			g.put(p)
		}
	}
}
