package tally

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// labelled is how many organizations have metrics of their own.
	labelled = 20
	// Other is the label of all the rest. No slug begins so.
	Other = "_other"
	// relabelEvery is after how many looks they are chosen anew, so that a series
	// lives for some minutes at least.
	relabelEvery = 5 * window
)

// metrics are a node's, by organization. An organization that comes among the
// labelled begins at 0, what it did before being counted as Other's, and one that
// leaves goes on there: every series only grows, and their rates together are
// everything.
type metrics struct {
	counters    [measures]*prometheus.CounterVec
	connections *prometheus.GaugeVec
	names       map[string]bool
	turn        int
}

func newMetrics() *metrics {
	m := &metrics{names: make(map[string]bool)}
	for i, help := range [measures]string{
		"Messages published by an organization's devices.",
		"Bytes of the payloads of messages published by an organization's devices.",
		"Messages delivered to an organization's devices.",
		"Bytes of the payloads of messages delivered to an organization's devices.",
		"How often an organization felt a limit: refusals, pauses and drops.",
		"Requests to the API with an organization's credentials.",
	} {
		m.counters[i] = prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fanfare_organization_" + Names[i] + "_total", Help: help + " The noisiest by bytes, and _other.",
		}, []string{"organization"})
	}
	m.connections = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fanfare_organization_connections", Help: "Connections of an organization's devices. The noisiest by bytes, and _other.",
	}, []string{"organization"})
	return m
}

// take counts what was spent since the last look.
func (m *metrics) take(spent map[string][measures]int64, here map[string]*history, requests int64) {
	if m.turn%relabelEvery == 0 || len(m.names) < labelled {
		m.relabel(here)
	}
	m.turn++
	m.counters[Requests].WithLabelValues(Other).Add(float64(requests))
	for org, counts := range spent {
		label := m.label(org)
		for i, n := range counts {
			m.counters[i].WithLabelValues(label).Add(float64(n))
		}
	}
	var others int64
	for org, h := range here {
		if m.names[org] {
			m.connections.WithLabelValues(org).Set(float64(h.connections))
		} else {
			others += h.connections
		}
	}
	m.connections.WithLabelValues(Other).Set(float64(others))
}

func (m *metrics) label(org string) string {
	if m.names[org] {
		return org
	}
	return Other
}

// relabel chooses who has metrics of their own.
func (m *metrics) relabel(here map[string]*history) {
	all := make([]string, 0, len(here))
	for org := range here {
		all = append(all, org)
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(here[b].bytes(), here[a].bytes()), cmp.Compare(a, b))
	})
	names := make(map[string]bool, labelled)
	for _, org := range all[:min(labelled, len(all))] {
		names[org] = true
	}
	for org := range m.names {
		if names[org] {
			continue
		}
		for _, c := range m.counters {
			c.DeleteLabelValues(org)
		}
		m.connections.DeleteLabelValues(org)
	}
	m.names = names
}

func (h *history) bytes() int64 { return h.sum[BytesIn] + h.sum[BytesOut] }

// Collectors returns the metrics for a Prometheus registry.
func (t *Tally) Collectors() []prometheus.Collector {
	all := []prometheus.Collector{t.metrics.connections}
	for _, c := range t.metrics.counters {
		all = append(all, c)
	}
	return all
}
