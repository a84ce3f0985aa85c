package tally

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const (
	// tellTop is how many organizations a node tells the others of, by each
	// measure: an organization that is among the noisiest of the cluster is
	// among these on some node.
	tellTop = 50
	// believeFor is how long a node's report counts: it has sent others since,
	// unless it is gone.
	believeFor = 3 * Interval
)

// Noise is what an organization does in the whole cluster: rates are per second,
// over the last minute.
type Noise struct {
	Organization string
	Connections  int64
	Rates        [measures]float64
}

// report is what a node says of its noisiest organizations.
type report struct {
	Node string   `json:"node"`
	List []figure `json:"list"`
	at   time.Time
}

type figure struct {
	Organization string          `json:"o"`
	Connections  int64           `json:"c,omitempty"`
	Sums         [measures]int64 `json:"s"` // over a minute
}

// Look takes the totals of now, as it is done every Interval, and returns what
// all nodes are to Hear.
func (t *Tally) Look(all []Totals) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	spent := t.look(all, t.metrics.turn)
	t.metrics.take(spent, t.here, t.others.Swap(0))
	text, err := json.Marshal(report{Node: t.node, List: t.top()})
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	return text, nil
}

// top are the organizations that are among the first by any measure.
func (t *Tally) top() []figure {
	chosen := make(map[string]figure)
	all := make([]figure, 0, len(t.here))
	for org, h := range t.here {
		all = append(all, figure{Organization: org, Connections: h.connections, Sums: h.sum})
	}
	for m := range measures {
		slices.SortFunc(all, func(a, b figure) int { return cmp.Compare(b.Sums[m], a.Sums[m]) })
		for _, f := range all[:min(tellTop, len(all))] {
			if f.Sums[m] > 0 {
				chosen[f.Organization] = f
			}
		}
	}
	list := make([]figure, 0, len(chosen))
	for _, f := range chosen {
		list = append(list, f)
	}
	return list
}

// Hear takes in what a node, also this one, said.
func (t *Tally) Hear(data []byte, now time.Time) error {
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("tally: %w", err)
	}
	r.at = now
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reports[r.Node] = r
	for node, old := range t.reports {
		if now.Sub(old.at) > believeFor {
			delete(t.reports, node)
		}
	}
	return nil
}

// Noisiest lists the organizations that do the most by one measure, and says of
// how many nodes that is known.
func (t *Tally) Noisiest(by Measure, limit int, now time.Time) (list []Noise, nodes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sums := make(map[string]*Noise)
	for _, r := range t.reports {
		if now.Sub(r.at) > believeFor {
			continue
		}
		nodes++
		for _, f := range r.List {
			n := sums[f.Organization]
			if n == nil {
				n = &Noise{Organization: f.Organization}
				sums[f.Organization] = n
			}
			n.Connections += f.Connections
			for m, sum := range f.Sums {
				n.Rates[m] += float64(sum) / time.Minute.Seconds()
			}
		}
	}
	for _, n := range sums {
		if n.Rates[by] > 0 {
			list = append(list, *n)
		}
	}
	slices.SortFunc(list, func(a, b Noise) int {
		return cmp.Or(cmp.Compare(b.Rates[by], a.Rates[by]), cmp.Compare(a.Organization, b.Organization))
	})
	return list[:min(limit, len(list))], nodes
}
