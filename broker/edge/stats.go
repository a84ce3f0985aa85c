package edge

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// stats are the edge's metrics. None has a label that tenants or devices could
// multiply.
type stats struct {
	connections, subscriptions prometheus.Gauge
	bytesIn, bytesOut          prometheus.Counter
	sent, throttled, truncated prometheus.Counter
	denied, malformed          *prometheus.CounterVec
	packets, publishes         *prometheus.CounterVec
	refused, closed, dropped   *prometheus.CounterVec
	limited                    *prometheus.CounterVec
	byType                     [16]prometheus.Counter // packets, resolved once

	turnedAway                            *prometheus.CounterVec
	tlsFailed, proxyFailed, upgradeFailed prometheus.Counter
}

// qosLabel spells a QoS level for a label without formatting.
var qosLabel = [...]string{"0", "1", "2"}

func newStats() *stats {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "fanfare_mqtt_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fanfare_mqtt_" + name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "fanfare_mqtt_" + name, Help: help})
	}
	s := &stats{
		connections:   gauge("connections", "Open MQTT connections, authenticated or not."),
		subscriptions: gauge("subscriptions", "Subscriptions of connected sessions."),
		bytesIn:       counter("received_bytes_total", "Bytes received from clients, without TLS and WebSocket framing."),
		bytesOut:      counter("sent_bytes_total", "Bytes sent to clients, without TLS and WebSocket framing."),
		sent:          counter("sent_messages_total", "PUBLISH packets sent to clients."),
		throttled:     counter("publish_pauses_total", "Pauses in reading a client because its app publishes faster than it may."),
		truncated:     counter("sessions_truncated_total", "Sessions that came back after their app's retention: messages may have been lost to them."),
		malformed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fanfare_mqtt_malformed_packets_total",
			Help: "Packets that broke the encoding, by their type and the clause of the specification.",
		}, []string{"type", "clause"}),
		denied:    vec("denied_total", "What clients asked for and no grant allows, by packet.", "packet"),
		packets:   vec("received_packets_total", "Packets received from clients, by type.", "type"),
		publishes: vec("publishes_total", "Messages published by clients, wills included, by QoS.", "qos"),
		refused:   vec("connects_refused_total", "CONNECT packets refused, by reason.", "reason"),
		closed:    vec("connections_closed_total", "Connections closed, by reason.", "reason"),
		dropped:   vec("deliveries_dropped_total", "Deliveries dropped, by reason: QoS 0 that found no room, and messages whose deadline passed.", "reason"),

		limited: vec("limited_total", "How often a limit of an app or an organization was felt: refusals, pauses and drops, by limit.", "limit"),

		turnedAway:    vec("connections_refused_total", "Connections closed before a byte of MQTT, by reason: a bound on connections, or accept_error.", "reason"),
		tlsFailed:     counter("tls_handshake_failures_total", "TLS handshakes that failed or took too long."),
		proxyFailed:   counter("proxy_header_failures_total", "Connections from load balancers that did not begin with a PROXY header."),
		upgradeFailed: counter("websocket_upgrade_failures_total", "Requests for WebSocket that were refused."),
	}
	for t := range s.byType {
		s.byType[t] = s.packets.WithLabelValues(packet.Type(t).String())
	}
	return s
}

func (s *stats) packet(t packet.Type) { s.byType[t&15].Inc() }

// Collectors returns the edge's metrics for a Prometheus registry.
func (e *Edge) Collectors() []prometheus.Collector {
	s := e.stats
	return []prometheus.Collector{
		s.connections, s.subscriptions, s.bytesIn, s.bytesOut, s.sent, s.throttled, s.truncated, s.denied, s.malformed,
		s.packets, s.publishes, s.refused, s.closed, s.dropped, s.limited,
		s.turnedAway, s.tlsFailed, s.proxyFailed, s.upgradeFailed,
	}
}
