package estate

import "github.com/prometheus/client_golang/prometheus"

// stats are the estate's metrics.
type stats struct {
	dead, wills, refused prometheus.Counter
	kept                 prometheus.Gauge
}

func newStats() *stats {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "fanfare_estate_" + name, Help: help})
	}
	return &stats{
		dead:    counter("declared_dead_total", "Instances that this node has declared dead."),
		wills:   counter("wills_published_total", "Wills published late: of clients of dead nodes, and those with a delay."),
		refused: counter("wills_refused_total", "Wills given up because the message log does not take them, or whose app is suspended or gone."),
		kept:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "fanfare_estate_wills_waiting", Help: "Wills of this node's clients that wait."}),
	}
}

// Collectors returns the estate's metrics for a Prometheus registry.
func (e *Estate) Collectors() []prometheus.Collector {
	return []prometheus.Collector{e.stats.dead, e.stats.wills, e.stats.refused, e.stats.kept}
}
