// Package tally tells what organizations do: how much on this node, for metrics
// whose number is bounded, and which make the most noise in the whole cluster.
// It takes totals that others count, every Interval, and knows no transport.
package tally

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Interval is the time between two looks at the totals.
	Interval = 10 * time.Second
	// window is what rates are taken over, in looks.
	window = int(time.Minute / Interval)
	// maxCallers is how many organizations' requests are counted by name.
	maxCallers = 10_000
)

// Measure is something that is counted.
type Measure uint8

// The measures. Bytes are those of payloads.
const (
	MessagesIn Measure = iota // published by devices
	BytesIn
	MessagesOut // delivered to devices
	BytesOut
	Limited  // a limit was felt: refusals, pauses and drops
	Requests // to the API
	measures
)

// Names are the measures' as the API and metrics call them.
var Names = [measures]string{"messages_in", "bytes_in", "messages_out", "bytes_out", "limited", "requests"}

// Totals are an organization's on this node, since somewhen: they only grow, or
// begin anew.
type Totals struct {
	Organization string
	Connections  int64
	Counts       [measures]int64
}

// Tally is one node's. It is safe for concurrent use.
type Tally struct {
	node    string
	callers sync.Map // organization → *atomic.Int64
	named   atomic.Int64
	others  atomic.Int64 // requests of those who are not named

	mu      sync.Mutex // guards the fields below
	here    map[string]*history
	reports map[string]report // by node
	metrics *metrics
}

// history is what an organization has done here in the last minute.
type history struct {
	last        [measures]int64
	connections int64
	deltas      [window][measures]int64 // by look, in a ring
	sum         [measures]int64         // of them
	quiet       int                     // looks in a row with nothing new
}

// New returns the tally of a node.
func New(node string) *Tally {
	return &Tally{node: node, here: make(map[string]*history), reports: make(map[string]report), metrics: newMetrics()}
}

// Request counts a request to the API. It is cheap and does not wait.
func (t *Tally) Request(org string) {
	if t == nil || org == "" {
		return
	}
	n, ok := t.callers.Load(org)
	if !ok {
		if t.named.Load() >= maxCallers {
			t.others.Add(1)
			return
		}
		var loaded bool
		if n, loaded = t.callers.LoadOrStore(org, new(atomic.Int64)); !loaded {
			t.named.Add(1)
		}
	}
	n.(*atomic.Int64).Add(1) //nolint:forcetypeassert,errcheck // the map holds nothing else
}

// look takes the totals of now into the histories.
func (t *Tally) look(all []Totals, turn int) (spent map[string][measures]int64) {
	spent = make(map[string][measures]int64, len(all))
	totals := t.withRequests(all)
	for org, now := range totals {
		h := t.here[org]
		if h == nil {
			h = new(history)
			t.here[org] = h
		}
		spent[org] = h.take(now, turn)
	}
	for org, h := range t.here {
		if _, there := totals[org]; !there {
			h.take(Totals{Counts: h.last}, turn)
		}
		if h.quiet >= window && h.connections == 0 {
			delete(t.here, org)
			t.forgetCaller(org)
		}
	}
	return spent
}

// withRequests puts the API's requests to what others have counted.
func (t *Tally) withRequests(all []Totals) map[string]Totals {
	totals := make(map[string]Totals, len(all))
	for _, one := range all {
		totals[one.Organization] = one
	}
	t.callers.Range(func(org, n any) bool {
		name, requests := org.(string), n.(*atomic.Int64) //nolint:forcetypeassert,errcheck // the map holds nothing else
		one := totals[name]
		one.Organization, one.Counts[Requests] = name, requests.Load()
		totals[name] = one
		return true
	})
	return totals
}

func (t *Tally) forgetCaller(org string) {
	if _, there := t.callers.LoadAndDelete(org); there {
		t.named.Add(-1)
	}
}

// take notes the totals of now, and returns what is new in them.
func (h *history) take(now Totals, turn int) (delta [measures]int64) {
	h.quiet++
	for m := range delta {
		delta[m] = now.Counts[m] - h.last[m]
		if delta[m] < 0 { // they have begun anew
			delta[m] = now.Counts[m]
		}
		if delta[m] > 0 {
			h.quiet = 0
		}
		h.sum[m] += delta[m] - h.deltas[turn%window][m]
	}
	h.deltas[turn%window], h.last, h.connections = delta, now.Counts, now.Connections
	return delta
}
