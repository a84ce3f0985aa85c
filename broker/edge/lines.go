package edge

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker/session"
)

// line is what one organization's devices on one loop are to be delivered, the
// oldest first. Lines have turns, so that an organization's devices do not wait
// for all that another's are sent. The order within a line is the bus's; between
// organizations there is none that a session could see. A line belongs to its
// loop.
type line struct {
	fans   []*fan
	active bool // in loop.lines
}

const (
	// turnDeliveries is how many deliveries a loop makes before it sends what came
	// of them and looks at what else has happened, a few milliseconds of work.
	turnDeliveries = 8192
	// turnLeast is the least of them that a line has when there are several.
	turnLeast = 512
	// backlogFair is how many deliveries of an organization may always wait.
	backlogFair = 4096
)

// enqueue puts a fan into its organization's line.
func (l *loop) enqueue(f *fan) {
	ln := &f.org.lines[l.index]
	ln.fans = append(ln.fans, f)
	if !ln.active {
		ln.active = true
		l.lines = append(l.lines, ln)
	}
}

// serve gives every line its turn. What is left has the next one soon.
func (l *loop) serve(now time.Time) {
	if len(l.lines) == 0 {
		return
	}
	most := max(l.turn/len(l.lines), min(turnLeast, l.turn))
	kept := l.lines[:0]
	for _, ln := range l.lines {
		if l.some(ln, most, now); len(ln.fans) > 0 {
			kept = append(kept, ln)
			continue
		}
		ln.active = false
	}
	clear(l.lines[len(kept):])
	if l.lines = kept; len(kept) > 0 {
		l.mail.ring()
	}
}

// some delivers from a line, as much as a turn may have.
func (l *loop) some(ln *line, most int, now time.Time) {
	done, n := 0, 0
	for done < len(ln.fans) && n < most {
		f := ln.fans[done]
		n += l.deliver(f, most, now)
		if f.next < len(f.conns) {
			break
		}
		ln.fans[done] = nil
		done++
		f.org.backlog.Add(-int64(f.size))
		recycle(f)
	}
	kept := copy(ln.fans, ln.fans[done:])
	clear(ln.fans[kept:])
	if ln.fans = ln.fans[:kept]; kept == 0 && cap(ln.fans) > keepEvents {
		ln.fans = nil
	}
}

// deliver hands one message to at most so many of its receivers on this loop, and
// returns to how many.
func (l *loop) deliver(f *fan, most int, now time.Time) int {
	if f.next == 0 {
		f.unique()
	}
	part := f.conns[f.next:min(f.next+most, len(f.conns))]
	var encodings session.Encodings
	for _, c := range part {
		if c.closed {
			continue
		}
		c.hold()
		c.session.Deliver(f.message, &encodings, c.full(), now)
		if c.above != nil {
			c.above.heard(f.message.Topic, now)
		}
		c.settle()
		c.countDrops()
	}
	f.next += len(part)
	l.backlog.Add(-int64(len(part)))
	if f.next == len(f.conns) {
		l.backlog.Add(-int64(f.size - len(f.conns))) // those that were in it twice
	}
	return len(part)
}

// unique leaves each receiver in once, that a message reaches by several filters.
func (f *fan) unique() {
	if len(f.conns) == 1 {
		return
	}
	kept := f.conns[:0]
	for _, c := range f.conns {
		if c.last != f.message {
			c.last = f.message
			kept = append(kept, c)
		}
	}
	for _, c := range kept {
		c.last = nil
	}
	clear(f.conns[len(kept):])
	f.conns = kept
}

// behind reports whether the devices of an organization have more waiting for
// them than they should, so that its publishers are not read any further. Who has
// little waiting is not held back for others.
func (e *Edge) behind(org *account) bool {
	own := org.backlog.Load()
	if own <= backlogFair {
		return false
	}
	if own > backlogHigh {
		return true
	}
	for _, l := range e.loops {
		if l.backlog.Load() > backlogHigh {
			return true
		}
	}
	return false
}
