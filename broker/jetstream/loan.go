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

// loans are the messages of share groups that this node holds.
type loans struct {
	conn     *nats.Conn
	talker   *talker
	counters *counters
	inbox    string

	mu      sync.Mutex // guards the fields below, and all loans; nothing is called under it
	held    map[*loan]struct{}
	keeping map[uint64]*loan
	count   uint64 // of loans so far
}

// loanState is how far a loan has come.
type loanState uint8

const (
	loanHeld    loanState = iota
	loanKeeping           // is acknowledged, and the server has not confirmed it
	loanKept
	loanOver
)

// loan implements broker.Loan.
type loan struct {
	loans  *loans
	reply  string    // where the consumer hears of the message
	said   time.Time // when it last did
	state  loanState
	number uint64 // in the order in which they came
	kept   func()
}

var _ broker.Loan = (*loan)(nil)

func newLoans(t *talker, c *counters) *loans {
	return &loans{
		conn: t.conn, talker: t, counters: c, inbox: t.conn.NewInbox(),
		held: make(map[*loan]struct{}), keeping: make(map[uint64]*loan),
	}
}

// listen makes the server's confirmations arrive.
func (ls *loans) listen() error {
	sub, err := ls.conn.Subscribe(ls.inbox+".*", ls.confirmed)
	if err != nil {
		return err
	}
	return sub.SetPendingLimits(-1, -1) // one for each loan
}

func (ls *loans) open(reply string) *loan {
	l := &loan{loans: ls, reply: reply, said: time.Now()}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.count++
	l.number = ls.count
	ls.held[l] = struct{}{}
	return l
}

func (ls *loans) len() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.held) + len(ls.keeping)
}

func (ls *loans) tell(reply string, what []byte) { ls.talker.say(word{subject: reply, data: what}) }

// leave ends a loan and returns how far it had come.
func (ls *loans) leave(l *loan) loanState {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	before := l.state
	if before == loanKeeping {
		delete(ls.keeping, l.number)
	}
	l.state, l.kept = loanOver, nil
	delete(ls.held, l)
	return before
}

// Done implements broker.Loan.
func (l *loan) Done() {
	if l.loans.leave(l) == loanHeld {
		l.loans.tell(l.reply, ackDone)
	}
}

// Return implements broker.Loan.
func (l *loan) Return() bool {
	ls := l.loans
	ls.mu.Lock()
	if l.state == loanKeeping || l.state == loanKept {
		ls.mu.Unlock()
		return false
	}
	before := l.state
	l.state = loanOver
	delete(ls.held, l)
	ls.mu.Unlock()
	if before == loanHeld {
		ls.counters.sharedBack.Add(1)
		ls.tell(l.reply, ackReturn)
	}
	return true
}

// Keep implements broker.Loan.
func (l *loan) Keep(kept func()) {
	ls := l.loans
	ls.mu.Lock()
	switch l.state {
	case loanKept:
		ls.mu.Unlock()
		kept()
		return
	case loanHeld:
		delete(ls.held, l)
		l.state = loanKeeping
		ls.keeping[l.number] = l
	case loanKeeping, loanOver:
	}
	l.kept, l.said = kept, time.Now()
	number, ask := l.number, l.state == loanKeeping
	ls.mu.Unlock()
	if ask {
		ls.ask(l.reply, number)
	}
}

// ask acknowledges with a confirmation. What does not arrive is asked again.
func (ls *loans) ask(reply string, number uint64) {
	ls.talker.say(word{subject: reply, reply: ls.inbox + "." + strconv.FormatUint(number, 10), data: ackDone})
}

// confirmed takes the server's word that it has forgotten a message.
func (ls *loans) confirmed(m *nats.Msg) {
	number, err := strconv.ParseUint(m.Subject[len(ls.inbox)+1:], 10, 64)
	if err != nil || m.Header.Get(headerStatus) != "" {
		return // the consumer has no leader at this moment
	}
	ls.mu.Lock()
	l := ls.keeping[number]
	var kept func()
	if l != nil {
		delete(ls.keeping, number)
		kept, l.kept, l.state = l.kept, nil, loanKept
	}
	ls.mu.Unlock()
	if kept != nil {
		kept()
	}
}

// look gives signs of life for what is held, and repeats what is not confirmed.
func (ls *loans) look(now time.Time, progress time.Duration) {
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
