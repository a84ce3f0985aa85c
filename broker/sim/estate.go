package sim

import (
	"slices"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/ownership"
)

// keepWill publishes a will when it is due.
func (n *node) keepWill(w *broker.Will) {
	n.kept = append(n.kept, w)
	n.after(max(w.Due.Sub(n.time()), 0), func() { n.execute(w) })
}

func (n *node) forgetWill(instance, key string) {
	n.kept = slices.DeleteFunc(n.kept, func(w *broker.Will) bool { return w.Instance == instance && w.Key == key })
}

// execute publishes a will that is still kept, here and in the store, then
// removes it.
func (n *node) execute(w *broker.Will) {
	there := false
	n.request(func() { there = n.w.store.findWill(w.Instance, w.Key) >= 0 }, func(err error) {
		switch {
		case !slices.Contains(n.kept, w):
		case err != nil:
			n.after(time.Second, func() { n.execute(w) })
		default:
			n.kept = slices.DeleteFunc(n.kept, func(o *broker.Will) bool { return o == w })
			if there {
				n.carryOut(w)
			}
		}
	})
}

func (n *node) carryOut(w *broker.Will) {
	n.publishWill(w, func() {
		n.request(func() { _ = n.w.store.dropWill(w.Instance, w.Key, w.Revision) }, func(error) {})
	})
}

func (n *node) publishWill(w *broker.Will, done func()) {
	m, number := w.Message, numberOf(w.Message.Payload)
	if m.QoS == 0 {
		n.w.oracle.sentLive(number)
		n.deliver(m)
		n.announce(m)
		done()
		return
	}
	n.lanes[m.Position.Shard].append(m, number, func(_ uint64, err error) {
		if err == nil {
			done()
		} else {
			n.publishWill(w, done)
		}
	})
}

// rouse has a will published now, as its session has ended.
func (n *node) rouse(e *ownership.Effect) {
	op := e.Op
	n.forgetWill(e.Instance, e.Key)
	var will *broker.Will
	n.request(func() {
		if i := n.w.store.findWill(e.Instance, e.Key); i >= 0 {
			will = n.w.store.wills[i]
		}
	}, func(err error) {
		if err == nil && will != nil {
			w := *will
			w.Due = n.time()
			n.keepWill(&w)
		}
		n.table.Done(op, err, n.time())
		n.advance()
	})
}

// lease is how long an instance is believed to live without a sign of it.
const lease = 8 * time.Second
