package session

import (
	"slices"

	"github.com/fanfare-mq/fanfare/broker"
)

// flight is one message on its way to the client: sent with QoS 1 or 2 and not
// completed.
type flight struct {
	broker.Flight

	at      uint64          // the message's time in Unix milliseconds
	unsent  bool            // of a resumed session, and not sent again yet
	held    bool            // not sent yet: the record is to be written first, or one before it waits
	written bool            // held, and the record is written
	taking  bool            // held, and a Take was emitted
	taken   bool            // and answered
	message *broker.Message // until it is sent
	loan    broker.Loan     // of a share group: QoS 1 until it is acknowledged, QoS 2 until it is sent
}

// flights are the messages on their way, oldest first: with a window of 64,
// and acknowledgements that come nearly in order, a slice is smaller and
// faster than a map.
type flights struct {
	list   []flight
	last   uint16 // the identifier given out last
	unsent uint16 // how many are not sent again yet
	held   uint16 // how many wait for the record
}

// len counts what was sent, or is about to be: what a receive maximum is about.
func (f *flights) len() int { return len(f.list) - int(f.unsent) }

// open gives out an identifier: the next one, as reuse should be far apart,
// that is neither 0 nor in flight. [MQTT-2.2.1-2] [MQTT-2.2.1-4] It must not be
// called when all 65,535 are.
func (f *flights) open(next flight) uint16 {
	for {
		f.last++
		if f.last != 0 && f.index(f.last) < 0 {
			next.PacketID = f.last
			f.list = append(f.list, next)
			return f.last
		}
	}
}

func (f *flights) index(id uint16) int {
	return slices.IndexFunc(f.list, func(e flight) bool { return e.PacketID == id })
}

// carries reports whether the message at seq is on its way.
func (f *flights) carries(seq uint64) bool {
	return slices.ContainsFunc(f.list, func(e flight) bool { return e.Seq == seq && e.Group == "" })
}

func (f *flights) remove(i int) {
	f.send(i)
	f.list = slices.Delete(f.list, i, i+1)
}

// send notes that a flight need not be sent, or not again.
func (f *flights) send(i int) {
	e := &f.list[i]
	if e.unsent {
		e.unsent, e.message = false, nil
		f.unsent--
	}
	if e.held {
		e.held, e.message = false, nil
		f.held--
	}
}

// lowest returns the lowest sequence above the floor that is not acknowledged,
// with its time. Below are retained messages, and none in the case of 0.
func (f *flights) lowest(floor uint64) (seq, at uint64, ok bool) {
	for i := range f.list {
		e := &f.list[i]
		if e.Group != "" || e.Released || e.Seq <= floor || (ok && e.Seq >= seq) {
			continue
		}
		seq, at, ok = e.Seq, e.at, true
	}
	return seq, at, ok
}

func (f *flights) release() {
	if len(f.list) == 0 {
		f.list = nil
	}
}
