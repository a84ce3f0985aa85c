package tally_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/fanfare-mq/fanfare/tally"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// totals are an organization's with messages and bytes that came in.
func totals(org string, messages, bytes int64) tally.Totals {
	t := tally.Totals{Organization: org, Connections: 1}
	t.Counts[tally.MessagesIn], t.Counts[tally.BytesIn] = messages, bytes
	return t
}

// look has nodes look at totals, and all hear of it.
func look(t *testing.T, now time.Time, nodes []*tally.Tally, all ...[]tally.Totals) {
	t.Helper()
	for i, node := range nodes {
		said, err := node.Look(all[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, hearer := range nodes {
			if err := hearer.Hear(said, now); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNoisiest(t *testing.T) {
	a, b := tally.New("a"), tally.New("b")
	both, now := []*tally.Tally{a, b}, noon
	for i := range int64(12) {
		now = now.Add(tally.Interval)
		look(t, now, both,
			[]tally.Totals{totals("acme", 600*i, 100*i), totals("globex", 0, 900*i)},
			[]tally.Totals{totals("acme", 600*i, 1000*i), totals("idle", 5, 5)})
	}
	for _, node := range both {
		list, nodes := node.Noisiest(tally.MessagesIn, 10, now)
		if nodes != 2 || len(list) != 1 || list[0].Organization != "acme" || list[0].Rates[tally.MessagesIn] != 120 || list[0].Connections != 2 {
			t.Errorf("by messages: %+v of %d nodes", list, nodes)
		}
		list, _ = node.Noisiest(tally.BytesIn, 10, now)
		if len(list) != 2 || list[0].Organization != "acme" || list[0].Rates[tally.BytesIn] != 110 || list[1].Organization != "globex" {
			t.Errorf("by bytes: %+v", list)
		}
		if list, _ = node.Noisiest(tally.BytesIn, 1, now); len(list) != 1 {
			t.Errorf("one: %+v", list)
		}
	}
	// A node that says nothing more is not believed, and who is quiet is not noisy.
	for range 7 {
		now = now.Add(tally.Interval)
		look(t, now, both[:1], []tally.Totals{totals("acme", 6600, 1100)})
	}
	if list, nodes := a.Noisiest(tally.BytesIn, 10, now); nodes != 1 || len(list) != 0 {
		t.Errorf("later: %+v of %d nodes", list, nodes)
	}
}

// TestTotalsBeginAnew: an organization was forgotten by who counts.
func TestTotalsBeginAnew(t *testing.T) {
	a, now := tally.New("a"), noon
	for _, n := range []int64{1000, 1060, 30, 60} {
		now = now.Add(tally.Interval)
		look(t, now, []*tally.Tally{a}, []tally.Totals{totals("acme", n, 0)})
	}
	list, _ := a.Noisiest(tally.MessagesIn, 1, now)
	if want := float64(1000+60+30+30) / 60; len(list) != 1 || list[0].Rates[tally.MessagesIn] != want {
		t.Errorf("got %+v, want %v", list, want)
	}
}

func TestRequests(t *testing.T) {
	a, now := tally.New("a"), noon
	for range 120 {
		a.Request("acme")
	}
	a.Request("") // nobody's
	look(t, now, []*tally.Tally{a}, nil)
	list, _ := a.Noisiest(tally.Requests, 10, now)
	if len(list) != 1 || list[0].Organization != "acme" || list[0].Rates[tally.Requests] != 2 {
		t.Errorf("got %+v", list)
	}
	for i := range 20_000 {
		a.Request(fmt.Sprint("org-", i))
	}
	look(t, now, []*tally.Tally{a}, nil)
	if got := series(t, a)["fanfare_organization_requests_total"]; sum(got) != 20_120 {
		t.Errorf("counted %v", sum(got))
	}
	for range 10 { // and all are forgotten
		look(t, now, []*tally.Tally{a}, nil)
	}
	a.Request("late")
	look(t, now, []*tally.Tally{a}, nil)
	if list, _ := a.Noisiest(tally.Requests, 10, now); len(list) != 1 || list[0].Organization != "late" {
		t.Errorf("got %+v", list)
	}
	(*tally.Tally)(nil).Request("acme") // who counts nothing
}

// series are a node's metrics by name and organization.
func series(t *testing.T, a *tally.Tally) map[string]map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(a.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]map[string]float64)
	for _, f := range families {
		values := make(map[string]float64)
		for _, m := range f.GetMetric() {
			values[m.GetLabel()[0].GetValue()] = value(m)
		}
		all[f.GetName()] = values
	}
	return all
}

func value(m *dto.Metric) float64 { return m.GetCounter().GetValue() + m.GetGauge().GetValue() }

func sum(values map[string]float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}

// TestMetricsAreBounded: however many organizations there are and whoever is
// noisy, there are 21 series of each kind; each only grows, and nothing is lost.
func TestMetricsAreBounded(t *testing.T) {
	a, now := tally.New("a"), noon
	counts := make(map[string]int64)
	var all int64
	last := make(map[string]float64)
	named := make(map[string]bool)
	for turn := range 200 {
		now = now.Add(tally.Interval)
		var here []tally.Totals
		for i := range 300 {
			org := fmt.Sprintf("org-%d", i)
			n := int64(1)
			if i/20 == turn/40 { // others are noisy after a while
				n = 1000
			}
			counts[org] += n
			all += n
			here = append(here, totals(org, counts[org], counts[org]))
		}
		look(t, now, []*tally.Tally{a}, here)
		got := series(t, a)
		bytes := got["fanfare_organization_bytes_in_total"]
		if len(bytes) > 21 || len(got["fanfare_organization_connections"]) > 21 {
			t.Fatalf("turn %d: %d series", turn, len(bytes))
		}
		for org, v := range bytes {
			if before, there := last[org]; there && v < before {
				t.Errorf("turn %d: %s fell from %v to %v", turn, org, before, v)
			}
			named[org] = true
		}
		if turn < 30 && sum(bytes) != float64(all) { // nobody has lost a name yet
			t.Errorf("turn %d: %v of %d bytes", turn, sum(bytes), all)
		}
		last = bytes
	}
	if s := sum(series(t, a)["fanfare_organization_connections"]); s != 300 {
		t.Errorf("%v connections", s)
	}
	if !named[tally.Other] || !named["org-0"] || !named["org-99"] || named["org-250"] {
		t.Errorf("named %d", len(named))
	}
}
