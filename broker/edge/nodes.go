package edge

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/broker/ownership"
	"github.com/fanfare-mq/fanfare/broker/presence"
)

const (
	// claimSubject announces that an instance holds a session: its name, the
	// epoch and the key.
	claimSubject = "session.claimed"
	// heldSubject announces all that an instance holds, in portions: its name, a
	// line feed, and 16 bytes for each session, hash and epoch.
	heldSubject = "session.held"
)

// tell speaks to the other nodes, and to whoever keeps the claims.
func (t *table) tell(ef *ownership.Effect) {
	claims := t.edge.deps.Claims
	switch ef.Kind {
	case ownership.Claim:
		seat := ef.Seat
		claims.Claim(ef.Key, t.instance, func(number uint64, former string, err error) {
			t.do(func(o *ownership.Table, now time.Time) { o.Claimed(seat, number, former, err, now) })
		})
	case ownership.Unclaim:
		claims.Release(ef.Key, ef.Number)
	case ownership.Ask:
		op := ef.Op
		t.edge.deps.Bus.Ask(ef.Instance, []byte(ef.Key), func(_ []byte, err error) { t.done(op, err) })
	case ownership.Answer:
		t.answer(ef.Ticket)
	case ownership.Announce:
		t.announce(ef.Key, ef.Epoch)
	case ownership.Assert:
		t.assert(ef.Claims)
	default:
	}
}

func (t *table) announce(key string, epoch uint64) {
	data := t.instance + " " + strconv.FormatUint(epoch, 10) + " " + key
	if err := t.edge.deps.Bus.Announce(claimSubject, []byte(data)); err != nil {
		t.edge.log.Warn("session claim not announced", slog.Any("error", err)) // it is asserted later
	}
}

// claimed hears that an instance holds a session.
func (e *Edge) claimed(data []byte) {
	instance, rest, ok := strings.Cut(string(data), " ")
	era := e.owners.era.Load()
	if !ok || instance == era.instance {
		return
	}
	number, key, ok := strings.Cut(rest, " ")
	epoch, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		return
	}
	e.deps.Claims.Hear(epoch)
	era.table(ownership.Hash(key)).do(func(o *ownership.Table, now time.Time) { o.Heard(instance, key, epoch, now) })
}

// assert says again what is held here.
func (t *table) assert(held []ownership.Assertion) {
	data := append([]byte(t.instance), '\n')
	claims := make([]presence.Claim, len(held))
	for i, h := range held {
		data = binary.LittleEndian.AppendUint64(data, h.Hash)
		data = binary.LittleEndian.AppendUint64(data, h.Epoch)
		claims[i] = presence.Claim{Key: h.Key, Number: h.Epoch}
	}
	if err := t.edge.deps.Bus.Announce(heldSubject, data); err != nil {
		t.edge.log.Warn("sessions not asserted", slog.Any("error", err)) // the next time is near
	}
	t.edge.deps.Claims.Assert(t.instance, claims, func(lost []presence.Claim, err error) {
		if err != nil {
			return // whoever keeps claims is away and learns of them later
		}
		for _, c := range lost {
			t.announce(c.Key, c.Number) // whoever has a higher one says so
		}
	})
}

// held hears all that an instance holds.
func (e *Edge) held(data []byte) {
	instance, list, ok := bytes.Cut(data, []byte("\n"))
	era := e.owners.era.Load()
	if !ok || string(instance) == era.instance || len(list)%16 != 0 {
		return
	}
	var each [tables][]ownership.Assertion
	for ; len(list) > 0; list = list[16:] {
		a := ownership.Assertion{Hash: binary.LittleEndian.Uint64(list), Epoch: binary.LittleEndian.Uint64(list[8:])}
		each[a.Hash%tables] = append(each[a.Hash%tables], a)
	}
	for i, assertions := range each {
		if len(assertions) > 0 {
			era.tables[i].do(func(o *ownership.Table, now time.Time) { o.HeardAll(string(instance), assertions, now) })
		}
	}
}

// asked hears that another instance wants the session of a key.
func (e *era) asked(data []byte, answer func([]byte)) {
	key := string(data)
	t := e.table(ownership.Hash(key))
	t.do(func(o *ownership.Table, now time.Time) {
		t.tickets++
		if t.asking == nil {
			t.asking = make(map[uint64]func([]byte))
		}
		t.asking[t.tickets] = answer
		o.Asked(key, t.tickets, now)
	})
}

func (t *table) answer(ticket uint64) {
	t.mu.Lock()
	answer := t.asking[ticket]
	delete(t.asking, ticket)
	t.mu.Unlock()
	if answer != nil {
		answer(nil)
	}
}
