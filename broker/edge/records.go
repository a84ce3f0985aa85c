package edge

import (
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
)

// records are the sessions whose clients are away, in this node's memory.
type records struct {
	mu    sync.Mutex // guards the fields below; nothing is called under it
	byKey map[string]absent
	late  []*broker.Message // wills that the bus did not take
}

// absent is a session whose client is away, and its will if that waits.
type absent struct {
	record *broker.Record
	will   *broker.Will
}

// put keeps a session; without a record it forgets one.
func (r *records) put(key string, rec *broker.Record, will *broker.Will) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec == nil {
		delete(r.byKey, key)
		return
	}
	r.byKey[key] = absent{rec, will}
}

// take hands a session over to a new connection. With clean it ends instead,
// and the will that waited comes due; otherwise the client is back, and its
// will is forgotten. [MQTT-3.1.3-9].
func (r *records) take(key string, clean bool, now time.Time) (rec *broker.Record, will *broker.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.byKey[key]
	delete(r.byKey, key)
	if !ok || (!clean && !passedAt(a.record.Expires, now)) {
		return a.record, nil
	}
	if a.will != nil {
		will = a.will.At(now)
	}
	return nil, will
}

// drop forgets a session that lives on another node now.
func (r *records) drop(key string) { r.put(key, nil, nil) }

func (r *records) putWill(will *broker.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = append(r.late, will)
}

// sweep ends the sessions whose time is over and returns the wills that are
// due. [MQTT-3.1.2-23].
func (r *records) sweep(now time.Time) []*broker.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	wills := r.late
	r.late = nil
	for key, a := range r.byKey {
		over := passedAt(a.record.Expires, now)
		if a.will != nil && (over || passedAt(a.will.Due, now)) {
			wills = append(wills, a.will.At(now))
			r.byKey[key] = absent{record: a.record}
		}
		if over {
			delete(r.byKey, key)
		}
	}
	return wills
}

func (r *records) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byKey)
}

// passedAt reports whether t is over at now; zero never is.
func passedAt(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }
