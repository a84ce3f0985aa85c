package sim

import (
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// link is a connection between a client and an edge. Bytes arrive in order or
// not at all.
type link struct {
	w      *world
	client *client
	conn   *conn
	up     pipe // to the edge
	down   pipe // to the client
	cut    bool // nothing arrives any more, here or there
	slow   bool // the client reads little

	opened    time.Duration
	clean     bool       // the client asked for a clean start
	known     bool       // its session was sure to be there
	answered  bool       // the client has had its CONNACK
	over      bool       // the client has given it up
	testament *testament // of this connection; nil: no will
}

// pipe is one direction.
type pipe struct {
	last   time.Duration // when what was sent last arrives
	queued int           // bytes on their way
}

// congestion is how many bytes may be on their way to a client before its edge
// is told to wait.
const congestion = 256

func (l *link) latency() time.Duration { return time.Millisecond + l.w.short(40*time.Millisecond) }

// arrive plans the arrival of what is sent now.
func (p *pipe) arrive(w *world, after time.Duration, do func()) {
	p.last = max(p.last, w.now+after)
	w.plan.push(p.last, do)
}

// send takes a packet of the client. taken, if not nil, is called when the edge
// has it.
func (l *link) send(b []byte, taken func()) {
	if l.cut {
		return
	}
	l.up.arrive(l.w, l.latency(), func() {
		if !l.cut {
			l.conn.receive(upload{b, taken})
		}
	})
}

// upload is a packet on its way to the session.
type upload struct {
	packet []byte
	taken  func()
}

// haunt keeps a connection alive that its client does not use any more, until
// the edge ends it.
func (l *link) haunt() {
	l.w.after(time.Duration(l.client.alive)*time.Second*3/4, func() {
		if !l.cut {
			l.send(packet.Pingreq{}.Append(nil), nil)
			l.haunt()
		}
	})
}

// answer takes bytes of the edge, and keeps none of them.
func (l *link) answer(out []byte) {
	if l.cut || len(out) == 0 {
		return
	}
	b := append([]byte(nil), out...)
	delay := l.latency()
	if l.slow {
		delay += time.Duration(len(b)) * 5 * time.Millisecond // 200 bytes a second
	}
	l.down.queued += len(b)
	l.down.arrive(l.w, delay, func() {
		l.down.queued -= len(b)
		if l.cut {
			return
		}
		l.client.receive(l, b)
		l.conn.drained()
	})
}

func (l *link) congested() bool { return l.down.queued > congestion }

// hangUp closes the connection from the edge: the client learns of it behind
// all that was sent.
func (l *link) hangUp() {
	l.down.arrive(l.w, l.latency(), func() {
		if !l.cut {
			l.cut = true
			l.client.lost(l)
		}
	})
}

// leave closes the connection from the client, behind all that was sent.
func (l *link) leave() {
	l.up.arrive(l.w, l.latency(), func() {
		if !l.cut {
			l.cut = true
			l.conn.lost()
		}
	})
}

// sever is the end of the network between the two. Who notices is up to
// them; noticed says whether the edge does, and soon.
func (l *link) sever(noticed bool) {
	if l.cut {
		return
	}
	l.cut = true
	if noticed {
		c := l.conn
		c.node.after(l.w.short(2*time.Second), c.lost)
	}
}

// frames cuts bytes into packets.
func frames(b []byte, version packet.Version, take func(packet.Frame)) {
	for len(b) > 0 {
		f, n, err := packet.Split(b, 0)
		if err != nil || n == 0 {
			panic("not a whole packet")
		}
		f.Version = version
		take(f)
		b = b[n:]
	}
}
