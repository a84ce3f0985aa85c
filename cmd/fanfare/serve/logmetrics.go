package serve

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fanfare-mq/fanfare/broker/jetstream"
)

// logMetrics are the figures of the message log, read when they are asked for.
type logMetrics struct{ bus *jetstream.Bus }

var _ prometheus.Collector = logMetrics{}

// logFigure is one of them.
type logFigure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*jetstream.Stats) float64
}

func total(name, help string, value func(*jetstream.Stats) uint64) logFigure {
	return logFigure{
		desc: prometheus.NewDesc("fanfare_log_"+name+"_total", help, nil, nil), kind: prometheus.CounterValue,
		value: func(s *jetstream.Stats) float64 { return float64(value(s)) },
	}
}

func level(name, help string, value func(*jetstream.Stats) int) logFigure {
	return logFigure{
		desc: prometheus.NewDesc("fanfare_log_"+name, help, nil, nil), kind: prometheus.GaugeValue,
		value: func(s *jetstream.Stats) float64 { return float64(value(s)) },
	}
}

// logFigures is the list of what operators look at.
var logFigures = []logFigure{
	total("appended_messages", "Messages that the log has acknowledged.", func(s *jetstream.Stats) uint64 { return s.Appended }),
	total("duplicate_messages", "Appended messages that the log had already.", func(s *jetstream.Stats) uint64 { return s.Duplicates }),
	total("failed_messages", "Messages that the log refused or did not answer for.", func(s *jetstream.Stats) uint64 { return s.Failed }),
	total("append_retries", "Times that appends were sent again.", func(s *jetstream.Stats) uint64 { return s.Retries }),
	level("pending_messages", "Appends that wait for the log now.", func(s *jetstream.Stats) int { return s.Pending }),
	level("pending_bytes", "The same in bytes.", func(s *jetstream.Stats) int { return s.PendingBytes }),
	total("live_sent_messages", "Live messages sent to other nodes.", func(s *jetstream.Stats) uint64 { return s.LiveSent }),
	total("live_received_messages", "Live messages received from other nodes.", func(s *jetstream.Stats) uint64 { return s.LiveReceived }),
	total("live_dropped_messages", "Live messages that were not sent because too many waited.", func(s *jetstream.Stats) uint64 { return s.LiveDropped }),
	total("slow_consumers", "Spells in which NATS delivered faster than this node took.", func(s *jetstream.Stats) uint64 { return s.SlowConsumers }),
	total("reconnects", "Reconnections to NATS.", func(s *jetstream.Stats) uint64 { return s.Reconnects }),
	total("reads", "Pages of the log that sessions asked for.", func(s *jetstream.Stats) uint64 { return s.Reads }),
	total("scanned_reads", "Pages that were read by a shared scan.", func(s *jetstream.Stats) uint64 { return s.Scans }),
	total("scan_passes", "Passes of shared scans through the log.", func(s *jetstream.Stats) uint64 { return s.Passes }),
	total("broken_probes", "Questions about the log whose answer was not whole.", func(s *jetstream.Stats) uint64 { return s.ProbesBroken }),
	total("record_loads", "Session records read.", func(s *jetstream.Stats) uint64 { return s.Loads }),
	total("record_saves", "Session records and wills written or removed.", func(s *jetstream.Stats) uint64 { return s.Saves }),
	total("record_conflicts", "Writes of a session record that came after somebody else's.", func(s *jetstream.Stats) uint64 { return s.Conflicts }),
	total("damaged_entries", "Stored messages, records and wills that could not be read.", func(s *jetstream.Stats) uint64 { return s.Damaged }),
	total("lost_events", "Events that found no room.", func(s *jetstream.Stats) uint64 { return s.EventsLost }),
	level("share_groups", "Share groups with members on this node.", func(s *jetstream.Stats) int { return s.Groups }),
	level("share_group_loans", "Messages of share groups that their members have not acknowledged.", func(s *jetstream.Stats) int { return s.Loans }),
	level("interests", "Distinct filters that this node listens to.", func(s *jetstream.Stats) int { return s.Interests }),
}

// Describe implements prometheus.Collector.
func (logMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, f := range logFigures {
		out <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (m logMetrics) Collect(out chan<- prometheus.Metric) {
	stats := m.bus.Stats()
	for _, f := range logFigures {
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(&stats))
	}
}
