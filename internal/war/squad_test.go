package war_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// window is how many publishes of a soldier may wait for their answer.
const window = 32

// squad is a handful of soldiers of one organization that act in turns. Its
// twin in the other organization has the same users, client identifiers, share
// groups and topics.
type squad struct {
	war      *war
	side     *side
	foe      *side
	number   int
	random   *rand.Rand
	soldiers []*soldier
	api      *caller // without a credential
	count    int     // of messages
	papers   map[string]string

	mu       sync.Mutex // guards what follows and what the soldiers say is theirs
	groups   map[string]*group
	retained map[string]string // marks by full topics
	signal   chan struct{}     // holds a token when something has happened
}

func newSquad(w *war, of *side, number int) *squad {
	q := &squad{
		war: w, side: of, number: number, api: newCaller(w.server.api, 1),
		random:   rand.New(rand.NewPCG(*seed, uint64(number)<<8|uint64(len(of.slug)))),
		groups:   map[string]*group{},
		retained: map[string]string{},
		papers:   map[string]string{},
		signal:   make(chan struct{}, 1),
	}
	q.chooseFoe()
	room := fmt.Sprintf("room/%d/", number)
	in := of.slug + "/chat/"
	keep := in + fmt.Sprintf("keep/%d/+", number)
	for _, s := range []*soldier{
		{user: "ana", version: packet.V5, wide: true, home: []string{in + room + "#", in + "users/" + q.name("ana") + "/#"}},
		{user: "bo", version: packet.V311, wide: true, home: []string{of.slug + "/+/" + room + "#"}},
		{user: "cy", version: packet.V5, wide: true, durable: true, home: []string{in + room + "+", keep, in + "wills/+"}},
		{user: "di", version: packet.V311, wide: true, durable: true, home: []string{in + room + "*", in + room + "b/#"}},
		{user: "ana", app: stock, version: packet.V5, mount: of.slug + "/stock/", home: []string{room + "#", "users/" + q.name("ana")}},
		{user: "cy", app: stock, version: packet.V311, durable: true, mount: of.slug + "/stock/", home: []string{room + "+"}},
		{user: "ed", version: packet.V5, home: []string{in + "own/" + q.name("ed") + "/#", in + "broadcast"}},
		{user: "flo", version: packet.V5, wide: true, home: []string{"$share/g/" + in + room + "#"}},
		{user: "flo", id: "other", version: packet.V311, wide: true, home: []string{"$share/g/" + in + room + "#"}},
		{user: "gus", version: packet.V311, wide: true, home: []string{"$queue/" + in + room + "#"}},
	} {
		q.enlist(s)
	}
	return q
}

// name is a user's or a client's name in this squad, and in its twin.
func (q *squad) name(user string) string { return fmt.Sprintf("%s-%d", user, q.number) }

func (q *squad) enlist(s *soldier) {
	s.squad = q
	s.id = q.name(s.user + s.id)
	if !s.login {
		s.user = q.name(s.user)
	}
	if s.app == "" {
		s.app = chat
	}
	s.subs, s.granted = map[string]byte{}, map[string]bool{}
	s.expects, s.sent = map[string]*pub{}, map[uint16]*order{}
	q.soldiers = append(q.soldiers, s)
}

// newGuard is a squad of one that hears everything that its organization may.
func newGuard(w *war, of *side) *squad {
	q := &squad{war: w, side: of, groups: map[string]*group{}, signal: make(chan struct{}, 1)}
	q.enlist(&soldier{user: "meter", version: packet.V5, wide: true, login: true, home: []string{of.slug + "/#"}})
	q.assemble()
	return q
}

// chooseFoe picks whom the next operations are against.
func (q *squad) chooseFoe() {
	sides := q.war.sides
	switch q.side {
	case sides[0]:
		q.foe = sides[1]
	case sides[1]:
		q.foe = sides[0]
	default:
		q.foe = sides[q.random.IntN(2)]
	}
}

// assemble connects everybody.
func (q *squad) assemble() {
	for _, s := range q.soldiers {
		if !s.login {
			var tags []string
			if s.wide {
				tags = []string{"wide"}
			}
			var err error
			if s.token, err = q.side.token(q.war.ctx, s.app, s.user, tags...); err != nil {
				q.war.violate("closed", "%v has no token: %v", s, err)
				return
			}
		}
		if !s.enter(nil) {
			return
		}
	}
}

// act does one operation.
func (q *squad) act() {
	q.chooseFoe()
	total := 0
	for _, a := range acts {
		total += a.weight
	}
	pick := q.random.IntN(total)
	i := slices.IndexFunc(acts, func(a act) bool { pick -= a.weight; return pick < 0 })
	s := pickOf(q.random, q.soldiers)
	if s.muster() {
		acts[i].do(q, s)
	}
}

// act is a kind of operation of a squad by one of its soldiers, who is connected.
type act struct {
	weight int // of all of them together
	do     func(*squad, *soldier)
}

func pickOf[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

// wake says that something has happened.
func (q *squad) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// settle waits until something is so; so is called with mu.
func (q *squad) settle(what string, so func() bool) bool {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		q.mu.Lock()
		ok := so()
		q.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-q.signal:
		case <-q.war.ctx.Done():
			return false
		case <-late.C:
			q.mu.Lock()
			defer q.mu.Unlock()
			q.war.violate("loss", "%s %d: %s: what does not come: %s", q.side.slug, q.number, what, q.owed())
			return false
		}
	}
}

// quiet says that nobody who is connected waits for anything; it needs mu, as
// what follows.
func (q *squad) quiet() bool {
	return !slices.ContainsFunc(q.soldiers, func(s *soldier) bool { return s.online && !s.done() })
}

// done says that the soldier waits for nothing, nor do its share groups.
func (s *soldier) done() bool {
	return len(s.sent) == 0 && len(s.expects) == 0 &&
		!slices.ContainsFunc(s.shares, func(g *group) bool { return len(g.expects) > 0 })
}

// owed is what is waited for, for people.
func (q *squad) owed() (list []string) {
	for _, s := range q.soldiers {
		for _, o := range s.sent {
			list = append(list, fmt.Sprintf("%v: an answer to %q", s, o.topic))
		}
		for text := range s.expects {
			list = append(list, fmt.Sprintf("%v (online %t): %s", s, s.online, text))
		}
	}
	for _, g := range q.groups {
		for text := range g.expects {
			list = append(list, fmt.Sprintf("group of %q: %s", g.filter, text))
		}
	}
	return list[:min(len(list), 8)]
}

// expect makes a message wait for all who are to have it.
func (q *squad) expect(p *pub, full string, qos byte) {
	for _, s := range q.soldiers {
		if s.wants(full, qos) {
			s.expects[p.text] = p
			p.left++
		}
	}
	for _, g := range q.groups {
		if len(g.members) > 0 && covers(g.filter, full) {
			g.expects[p.text] = p
			p.left++
		}
	}
}

// wants says that the soldier is to have a message, now or when it is back.
func (s *soldier) wants(full string, qos byte) bool {
	for filter, granted := range s.subs {
		if (s.online || qos > 0 && granted > 0) && covers(filter, full) {
			return true
		}
	}
	return false
}

// reached counts an operation that has reached everybody.
func (q *squad) reached(p *pub) {
	if p.left--; p.left == 0 && p.asked {
		q.war.valid.Add(1)
	}
}

// mark begins a message.
func (q *squad) mark(s *soldier) mark {
	q.count++
	return mark{q.side.slug, s.app, s.id, fmt.Sprint(q.count)}
}

func (q *squad) note(format string, args ...any) { q.war.note(q, format, args...) }
