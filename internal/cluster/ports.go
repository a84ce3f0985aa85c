package cluster

import (
	"context"
	"fmt"
	"net"
	"strings"
)

const (
	nodeName = "fanfare"
	natsName = "nats"
	host     = "127.0.0.1"
	// balancer is where HAProxy connects from, so that nodes can tell it from
	// clients that come to them directly.
	balancer = "127.0.0.2"
)

// kindOf is a part's name without its number.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "-")
	return kind
}

// nodePorts are the ports of one node, or of HAProxy in front of them.
type nodePorts struct{ http, mqtt, ws, metrics int }

// natsPorts are the ports of one NATS server.
type natsPorts struct{ client, cluster, monitor int }

// ports are those of the whole cluster.
type ports struct {
	postgres, redis int
	nats            [Size]natsPorts
	nodes           [Size]nodePorts
	front           nodePorts
}

// choosePorts numbers the parts in the first digit: node 2 has MQTT on 21883.
func choosePorts(ctx context.Context, free bool) (ports, error) {
	p := ports{postgres: 15432, redis: 16379, front: nodePorts{http: 8080, mqtt: 1883, ws: 8083, metrics: 8404}}
	for i := range Size {
		base := 10000 * (i + 1)
		p.nats[i] = natsPorts{client: base + 4222, cluster: base + 6222, monitor: base + 8222}
		p.nodes[i] = nodePorts{http: base + 8080, mqtt: base + 1883, ws: base + 8083, metrics: base + 9090}
	}
	if !free {
		return p, nil
	}
	all := []*int{&p.postgres, &p.redis}
	for i := range Size {
		n, m := &p.nats[i], &p.nodes[i]
		all = append(all, &n.client, &n.cluster, &n.monitor, &m.http, &m.mqtt, &m.ws, &m.metrics)
	}
	all = append(all, &p.front.http, &p.front.mqtt, &p.front.ws, &p.front.metrics)
	return p, takeFree(ctx, all)
}

// takeFree finds free ports. They are held until all are found, so that none is
// given out twice.
func takeFree(ctx context.Context, all []*int) error {
	var config net.ListenConfig
	for _, port := range all {
		l, err := config.Listen(ctx, "tcp", at(0))
		if err != nil {
			return fmt.Errorf("a free port: %w", err)
		}
		defer l.Close() //nolint:errcheck // nothing was written
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return fmt.Errorf("a free port: %v", l.Addr())
		}
		*port = addr.Port
	}
	return nil
}

func at(port int) string { return fmt.Sprintf("%s:%d", host, port) }

// Address is where people and tests find something of the cluster.
type Address struct{ HTTP, MQTT, WS, Metrics string }

func (p nodePorts) address() Address {
	return Address{HTTP: "http://" + at(p.http), MQTT: at(p.mqtt), WS: "ws://" + at(p.ws) + "/mqtt", Metrics: at(p.metrics)}
}

// Front is the load balancer's address.
func (c *Cluster) Front() Address { return c.ports.front.address() }

// Direct is the address of node n, from 1 to Size, past the load balancer.
func (c *Cluster) Direct(n int) Address { return c.ports.nodes[n-1].address() }

// NATSURL lists the NATS servers.
func (c *Cluster) NATSURL() string {
	urls := make([]string, Size)
	for i, p := range c.ports.nats {
		urls[i] = "nats://" + at(p.client)
	}
	return strings.Join(urls, ",")
}

// maxConnections of HAProxy: each takes two of the files that a process may
// open, of which machines allow as few as 20,000.
const maxConnections = 8000
