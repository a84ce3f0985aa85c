package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

const (
	// healing is when everything is repaired and nothing new is published, and
	// lastMoment when nothing may be left to do: more than a probe's period, a
	// lease and a will's delay later.
	healing    = 60 * time.Second
	lastMoment = 240 * time.Second
	// probePeriod is the slow pace at which sessions are asked to look into the
	// log.
	probePeriod = 30 * time.Second
)

// topics that clients publish to, below {org}/chat/.
var topics = [...]string{"a", "b", "a/x"}

// orgs whose names look alike.
var orgs = [...]string{"acme", "acme-b"}

func suffix(name string) string {
	_, rest, _ := strings.Cut(name, "/chat/")
	return rest
}

func newWorld(seed uint64, o Options) *world {
	w := &world{chance: newChance(seed), seed: seed, trace: o.Trace, claims: claims{map[string]holder{}}}
	w.store = newStore(w)
	w.oracle = &oracle{w: w}
	w.faults = weather(w.chance)
	w.shards = []*shard{newShard(), newShard()}
	nodes := 3
	if w.faults.alone {
		nodes = 1
	}
	for i := range nodes {
		n := &node{w: w, index: i, name: fmt.Sprintf("edge%d", i), skew: w.between(-300*time.Millisecond, 300*time.Millisecond)}
		w.nodes = append(w.nodes, n)
	}
	for i := range 4 + w.IntN(5) {
		w.clients = append(w.clients, newClient(w, i))
	}
	return w
}

func newClient(w *world, i int) *client {
	c := &client{
		w: w, index: i, name: fmt.Sprintf("c%d", i), org: orgs[0], version: packet.V5,
		durable: !w.oneIn(4), expiry: uint32(maxExpiry / time.Second), window: uint16(1 + w.IntN(8)), alive: uint16(5 + w.IntN(15)), //nolint:gosec // small
		slow: w.oneIn(5), lazy: w.oneIn(3), faithful: !w.oneIn(3), willful: w.oneIn(3),
	}
	if w.oneIn(3) {
		c.org = orgs[1]
	}
	if w.oneIn(2) {
		c.version, c.window = packet.V311, 8
	}
	if c.version == packet.V5 && w.oneIn(8) {
		c.expiry = 5
	}
	if w.oneIn(6) {
		c.shard = 1 // not its organization's in truth, but who reads it does not mind
	}
	c.shard = uint16(slices.Index(orgs[:], c.org)) & uint16(w.seed) & 1 //nolint:gosec // 0 or 1
	c.key = keyOf(c.org, c.name)
	c.sub = w.oracle.begin(c)
	c.wish()
	return c
}

// wish makes up the filters of a client.
func (c *client) wish() {
	other := orgs[0]
	if c.org == other {
		other = orgs[1]
	}
	for _, f := range []string{"a", "b", "+", "#", "a/#", "a/x", "wills"} {
		if c.w.oneIn(3) || f == "wills" {
			c.filters = append(c.filters, &wish{filter: c.org + "/chat/" + f, qos: min(1+byte(c.w.IntN(3)), 2), wanted: c.w.oneIn(2)}) //nolint:gosec // 1 or 2
		}
	}
	for _, f := range []string{"#", "+/chat/#", other + "/chat/#", "+/+/a"} {
		if c.w.oneIn(8) {
			c.filters = append(c.filters, &wish{filter: f, qos: 1, foreign: true, wanted: true})
		}
	}
	if n := len(c.filters); c.w.oneIn(6) { // QoS 0 is not owed
		c.filters[n-1].qos = 0
	}
}

// begin plans all that is planned from the start.
func (w *world) begin() {
	for _, n := range w.nodes {
		n.start()
	}
	for _, c := range w.clients {
		c.reconnect(w.between(0, 3*time.Second))
		c.live()
	}
	w.misfortune()
	w.after(healing, w.heal)
	w.retain()
}

// keepProbing is the node's slow anti-entropy.
func (n *node) keepProbing() {
	n.after(n.w.between(probePeriod/2, probePeriod), func() {
		for _, c := range slices.Clone(n.conns) {
			c.probe()
		}
		n.keepProbing()
	})
}

// live plans what a client does next.
func (c *client) live() {
	c.w.after(c.w.between(0, 3*time.Second), func() {
		if c.w.healed {
			return
		}
		c.act()
		c.live()
	})
}

func (c *client) act() {
	if !c.online || c.attempts > 0 {
		return
	}
	switch p := c.w.IntN(100); {
	case p < 60:
		for range 1 + c.w.IntN(4) {
			c.publishSome()
		}
	case p < 70 && len(c.filters) > 0:
		c.changeFilter(c.filters[c.w.IntN(len(c.filters))])
	case p < 76:
		c.disconnect()
	case p < 84:
		c.vanish()
	case p < 85:
		c.retired = c.index > 1
		c.vanish()
	case p < 95:
		c.comeAgain()
	}
}

// comeAgain connects although there is a connection.
func (c *client) comeAgain() {
	w := c.w
	// It knows what the edge will say, and its session does not end meanwhile.
	again := (c.known && c.expiry > 60) || !c.durable
	switch p := w.IntN(10); {
	case p < 2:
		c.connect(w.nodes[w.IntN(len(w.nodes))], true)
	case p < 7 && again:
		c.connect(w.nodes[w.IntN(len(w.nodes))], false)
	case again:
		for _, n := range w.nodes { // everywhere at once
			c.connect(n, false)
		}
	}
}

func (c *client) publishSome() {
	w := c.w
	if len(c.out) >= 6 {
		return
	}
	name := c.org + "/chat/" + topics[w.IntN(len(topics))]
	if w.oneIn(50) {
		name = orgs[w.IntN(len(orgs))] + "/chat/a"
	}
	c.publish(name, byte(w.IntN(3))) //nolint:gosec // 0 to 2
}

func (c *client) changeFilter(f *wish) {
	switch {
	case f.id != 0 || f.leaving:
	case f.granted && c.w.oneIn(3):
		c.unsubscribe(f)
	default:
		c.subscribe(f)
	}
}

// heal repairs everything.
func (w *world) heal() {
	w.say("world", "heals")
	w.healed = true
	w.faults.heal()
	for _, n := range w.nodes {
		if n.cutOff {
			n.cutOff, n.rejoined = false, w.now
		}
		if !n.up {
			n.start()
		}
	}
	for _, c := range w.clients {
		if c.online {
			for _, f := range c.filters {
				if f.wanted && !f.granted && f.id == 0 && !f.foreign {
					c.subscribe(f)
				}
			}
		}
	}
}

// misfortune plans what happens to nodes and networks.
func (w *world) misfortune() {
	for range w.faults.crashes {
		n := w.nodes[w.IntN(len(w.nodes))]
		w.after(w.between(0, healing), func() { w.crash(n) })
	}
	for range w.faults.forgets {
		w.after(w.between(0, healing), func() { w.say("world", "claims are forgotten"); clear(w.claims.central) })
	}
	if w.faults.powerLoss {
		w.after(w.between(0, healing), w.losePower)
	}
	for range w.faults.outages {
		w.after(w.between(0, healing), func() {
			if !w.healed {
				w.say("world", "NATS is away")
				w.faults.outage = true
			}
		})
		w.after(w.between(0, healing), func() { w.say("world", "NATS is back"); w.faults.outage = false; w.reconnected() })
	}
	for range w.faults.partitions {
		n := w.nodes[w.IntN(len(w.nodes))]
		at := w.between(0, healing)
		w.after(at, func() { w.say(n.name, "is cut off"); n.cutOff = !w.healed })
		w.after(at+w.between(0, 20*time.Second), func() { w.say(n.name, "is cut off no more"); n.cutOff, n.rejoined = false, w.now; n.reconnected() })
	}
}

func (w *world) reconnected() {
	for _, n := range w.nodes {
		n.reconnected()
	}
}

// reconnected is what a node does when NATS answers again.
func (n *node) reconnected() {
	for _, c := range slices.Clone(n.conns) {
		c.probe()
	}
}

func (w *world) crash(n *node) {
	if !n.up || w.healed {
		return
	}
	n.crash()
	w.after(w.between(100*time.Millisecond, 15*time.Second), func() {
		if !n.up {
			n.start()
		}
	})
}
