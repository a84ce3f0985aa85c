package edge

import "time"

const (
	// wheelTick is the resolution of keep-alives, connect timeouts and token
	// expiry: well below the second in which MQTT counts, cheap to walk.
	wheelTick = 250 * time.Millisecond
	// wheelSlots makes one turn 128 s; a later deadline is looked at once a
	// turn and put back.
	wheelSlots = 512
)

// wheel is a timing wheel of connections. An entry is a hint: when it fires,
// the session is asked for its true deadline.
type wheel struct {
	slots   [wheelSlots][]*conn
	current int64 // the last tick that was walked
}

func tickOf(t time.Time) int64 { return t.UnixNano() / int64(wheelTick) }

// arm makes sure that c is looked at by deadline (zero: never).
func (w *wheel) arm(c *conn, deadline time.Time) {
	if deadline.IsZero() {
		return
	}
	// One tick later than the deadline's, so that it has passed by then.
	tick := min(max(tickOf(deadline)+1, w.current+1), w.current+wheelSlots-1)
	if c.armed != 0 && c.armed <= tick && c.armed > w.current {
		return // it will be looked at before that anyway
	}
	c.armed = tick
	slot := tick % wheelSlots
	w.slots[slot] = append(w.slots[slot], c)
}

// advance calls fire for every connection whose look is due at now.
func (w *wheel) advance(now time.Time, fire func(*conn)) {
	for target := tickOf(now); w.current < target; {
		if target-w.current > wheelSlots { // the machine slept: one turn sees all
			w.current = target - wheelSlots
		}
		w.current++
		w.turn(fire)
	}
}

func (w *wheel) turn(fire func(*conn)) {
	slot := w.current % wheelSlots
	due := w.slots[slot]
	w.slots[slot] = nil
	for _, c := range due {
		if c.armed == 0 || c.armed > w.current {
			continue // armed anew for another tick, or gone
		}
		c.armed = 0
		fire(c)
	}
}
