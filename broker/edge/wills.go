package edge

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// wills are those of this node's clients that are gone, until they are
// published.
type wills struct {
	edge *Edge

	mu   sync.Mutex              // guards the field below; nothing is called under it
	kept map[string]*broker.Will // by session key
}

// keep publishes a will when it is due, unless its client is back before.
func (w *wills) keep(will *broker.Will) {
	if !will.Due.After(time.Now()) {
		w.publish(will, func(error) {})
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept[will.Key] = will
}

// forget says that a client is back on this node.
func (w *wills) forget(key string) { w.take(key) }

func (w *wills) take(key string) *broker.Will {
	w.mu.Lock()
	defer w.mu.Unlock()
	will := w.kept[key]
	delete(w.kept, key)
	return will
}

// rouse publishes the will that a connection of an instance has left, if there
// is one.
func (w *wills) rouse(instance, key string, fn func(error)) {
	if will := w.take(key); will != nil && will.Instance == instance {
		w.publish(will, fn)
		return
	}
	w.edge.deps.Bus.Wills(instance, func(all []*broker.Will, err error) {
		for _, will := range all {
			if will.Key == key {
				w.publish(will, fn)
				return
			}
		}
		fn(err)
	})
}

// sweep publishes what is due of clients that are not back.
func (w *wills) sweep(now time.Time) {
	w.mu.Lock()
	var due []*broker.Will
	for key, will := range w.kept {
		if !will.Due.After(now) {
			due = append(due, will)
			delete(w.kept, key)
		}
	}
	w.mu.Unlock()
	for _, will := range due {
		w.edge.deps.Bus.Load(will.Key, func(stored broker.Stored, err error) {
			switch {
			case err != nil:
				w.again(will)
			case stored.Record == nil || stored.Record.Epoch <= will.Epoch:
				w.publish(will, func(error) {})
			}
		})
	}
}

// again tries later.
func (w *wills) again(will *broker.Will) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept[will.Key] == nil {
		w.kept[will.Key] = will
	}
}

// publish hands a will to the bus and takes it out of the store: before, if it
// must not be published twice, else afterwards.
func (w *wills) publish(will *broker.Will, fn func(error)) {
	m := will.At(time.Now())
	w.edge.stats.publishes.WithLabelValues(qosLabel[m.QoS]).Inc()
	if m.QoS > 0 {
		w.send(m, will, func(error) { w.drop(will, fn) })
		return
	}
	w.drop(will, func(err error) {
		if err == nil {
			w.send(m, will, fn)
			return
		}
		fn(err)
	})
}

func (w *wills) drop(will *broker.Will, fn func(error)) {
	w.edge.deps.Bus.DropWill(will.Instance, will.Key, will.Revision, func(err error) {
		if errors.Is(err, broker.ErrConflict) {
			err = nil // another one is there by now
		}
		fn(err)
	})
}

func (w *wills) send(m *broker.Message, will *broker.Will, fn func(error)) {
	err := w.edge.deps.Bus.Publish(m, sent(func(err error) {
		if err != nil {
			w.again(will)
			return
		}
		fn(nil)
	}), 0)
	if err != nil {
		w.edge.log.Warn("will not accepted", slog.String("topic", m.Topic), slog.Any("error", err))
		w.again(will)
	}
}

// sent is a function as the one who learns of a message's fate.
type sent func(error)

// Published implements broker.Acknowledger.
func (f sent) Published(_ uint64, _ *broker.Message, err error) { f(err) }
