package edge

import (
	"crypto/x509"
	"net"
	"time"
)

// Peer is what an edge knows of a connection below MQTT.
type Peer struct {
	Remote       string
	Opened       time.Time
	Certificates []*x509.Certificate
}

// Peers lists the connections of a running edge.
func (e *Edge) Peers() []Peer {
	var peers []Peer
	for _, l := range e.loops {
		done := make(chan struct{})
		l.post(event{kind: evDo, do: func(time.Time) {
			for c := range l.conns {
				t := c.transport
				peers = append(peers, Peer{t.remote(), t.opened(), t.certificates()})
			}
			close(done)
		}})
		<-done
	}
	return peers
}

// AddListener makes Run accept from nl too, as MQTT over TCP.
func (e *Edge) AddListener(nl net.Listener) {
	e.listeners = append(e.listeners, e.newListener(TCP, nl, nil))
}

// Places are the counts of the admission: open, half-open, addresses known.
func (e *Edge) Places() (open, waiting, crowds int) {
	a := e.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.open, a.waiting, len(a.crowds)
}

// ProxySource is the parser of PROXY headers, for the fuzzer.
var ProxySource = proxySource

// PassThrough takes one connection through its whole admission.
func (e *Edge) PassThrough(nc net.Conn) {
	g := e.admission.enter(nc, false)
	e.admission.accepted(newTransport(g, g))
	_ = g.Close()
}

// Pause stops all loops until release is called.
func (e *Edge) Pause() (release func()) {
	going := make(chan struct{})
	for _, l := range e.loops {
		stopped := make(chan struct{})
		l.post(event{kind: evDo, do: func(time.Time) { close(stopped); <-going }})
		<-stopped
	}
	return func() { close(going) }
}

// Waiting is how many deliveries an organization's devices are owed.
func (e *Edge) Waiting(org string) int64 { return e.tenants.of(org + "/").backlog.Load() }

// TakeTurns makes turns shorter. The loops must be paused.
func (e *Edge) TakeTurns(deliveries int) {
	for _, l := range e.loops {
		l.turn = deliveries
	}
}
