package jetstream

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fanfare-mq/fanfare/broker"
)

// What a consumer is told about a message.
var (
	ackDone     = []byte("+ACK")
	ackReturn   = []byte("-NAK")
	ackProgress = []byte("+WPI")
)

// keepAgain is when a message that is to be kept is acknowledged again, if
// the server has not confirmed it.
const keepAgain = 2 * time.Second

// leases are the messages of share groups that this node holds.
type leases struct {
	conn     *nats.Conn
	talker   *talker
	counters *counters
	inbox    string

	mu      sync.Mutex // guards the fields below, and all leases; nothing is called under it
	held    map[*lease]struct{}
	keeping map[uint64]*lease
	count   uint64 // of leases so far
}

// leaseState is how far a lease has come.
type leaseState uint8

const (
	leaseHeld    leaseState = iota
	leaseKeeping            // is acknowledged, and the server has not confirmed it
	leaseKept
	leaseOver
)

// lease implements broker.Lease.
type lease struct {
	leases *leases
	reply  string    // where the consumer hears of the message
	said   time.Time // when it last did
	state  leaseState
	number uint64 // in the order in which they came
	kept   func()
}

var _ broker.Lease = (*lease)(nil)

func newLeases(t *talker, c *counters) *leases {
	return &leases{
		conn: t.conn, talker: t, counters: c, inbox: t.conn.NewInbox(),
		held: make(map[*lease]struct{}), keeping: make(map[uint64]*lease),
	}
}

// listen makes the server's confirmations arrive.
func (ls *leases) listen() error {
	sub, err := ls.conn.Subscribe(ls.inbox+".*", ls.confirmed)
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(-1, -1) // one for each lease
}

func (ls *leases) open(reply string) *lease {
	l := &lease{leases: ls, reply: reply, said: time.Now()}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.count++
	l.number = ls.count
	ls.held[l] = struct{}{}
	return l
}

func (ls *leases) len() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.held) + len(ls.keeping)
}

func (ls *leases) tell(reply string, what []byte) { ls.talker.say(word{subject: reply, data: what}) }

// leave ends a lease and returns how far it had come.
func (ls *leases) leave(l *lease) leaseState {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	before := l.state
	if before == leaseKeeping {
		delete(ls.keeping, l.number)
	}
	l.state, l.kept = leaseOver, nil
	delete(ls.held, l)
	return before
}

// Done implements broker.Lease.
func (l *lease) Done() {
	if l.leases.leave(l) == leaseHeld {
		l.leases.tell(l.reply, ackDone)
	}
}

// Return implements broker.Lease.
func (l *lease) Return() bool {
	ls := l.leases
	ls.mu.Lock()
	if l.state == leaseKeeping || l.state == leaseKept {
		ls.mu.Unlock()
		return false
	}
	before := l.state
	l.state = leaseOver
	delete(ls.held, l)
	ls.mu.Unlock()
	if before == leaseHeld {
		ls.counters.sharedReturned.Add(1)
		ls.tell(l.reply, ackReturn)
	}
	return true
}

// Keep implements broker.Lease.
func (l *lease) Keep(kept func()) {
	ls := l.leases
	ls.mu.Lock()
	switch l.state {
	case leaseKept:
		ls.mu.Unlock()
		kept()
		return
	case leaseHeld:
		delete(ls.held, l)
		l.state = leaseKeeping
		ls.keeping[l.number] = l
	case leaseKeeping, leaseOver:
	}
	l.kept, l.said = kept, time.Now()
	number, ask := l.number, l.state == leaseKeeping
	ls.mu.Unlock()
	if ask {
		ls.ask(l.reply, number)
	}
}

// ask acknowledges with a confirmation. What does not arrive is asked again.
func (ls *leases) ask(reply string, number uint64) {
	ls.talker.say(word{subject: reply, reply: ls.inbox + "." + strconv.FormatUint(number, 10), data: ackDone})
}

// confirmed takes the server's word that it has forgotten a message.
func (ls *leases) confirmed(m *nats.Msg) {
	number, err := strconv.ParseUint(m.Subject[len(ls.inbox)+1:], 10, 64)
	if err != nil || m.Header.Get(headerStatus) != "" {
		return // the consumer has no leader at this moment
	}
	ls.mu.Lock()
	l := ls.keeping[number]
	var kept func()
	if l != nil {
		delete(ls.keeping, number)
		kept, l.kept, l.state = l.kept, nil, leaseKept
	}
	ls.mu.Unlock()
	if kept != nil {
		kept()
	}
}

// look gives signs of life for what is held, and repeats what is not confirmed.
func (ls *leases) look(now time.Time, progress time.Duration) {
	type due struct {
		number uint64
		reply  string
	}
	var signs, again []due
	ls.mu.Lock()
	for l := range ls.held {
		if now.Sub(l.said) >= progress {
			l.said = now
			signs = append(signs, due{l.number, l.reply})
		}
	}
	for number, l := range ls.keeping {
		if now.Sub(l.said) >= keepAgain {
			l.said = now
			again = append(again, due{number, l.reply})
		}
	}
	ls.mu.Unlock()
	// What is last heard of first is first given to others.
	slices.SortFunc(signs, func(a, b due) int { return cmp.Compare(a.number, b.number) })
	for _, d := range signs {
		ls.tell(d.reply, ackProgress)
	}
	for _, d := range again {
		ls.ask(d.reply, d.number)
	}
}
