package conformance_test

import (
	"bufio"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// rule is a case: what a clause demands, and how to see it. A clause stands
// for each version in which the case runs; an empty one leaves it out.
type rule struct {
	v31, v311, v5 string
	name          string
	fanfare       bool // it needs what other brokers do not have
	webSocket     bool // it is about WebSocket alone
	run           func(r *run)
}

// versions returns the clause by version.
func (r rule) versions() map[byte]string {
	clauses := map[byte]string{}
	for version, clause := range map[byte]string{v31: r.v31, v311: r.v311, v5: r.v5} {
		if clause != "" {
			clauses[version] = clause
		}
	}
	return clauses
}

// run is one case on one link in one version.
type run struct {
	*testing.T

	target  *target
	link    link
	version byte
	unique  string
	clients int
}

var runs atomic.Int64

func newRun(t *testing.T, on *target, l link, version byte) *run {
	t.Helper()
	return &run{T: t, target: on, link: l, version: version, unique: fmt.Sprintf("c%d", runs.Add(1))}
}

// topic is a topic of this case alone.
func (r *run) topic(name string) string {
	return strings.TrimSuffix(r.target.prefix+"/"+r.unique+"/"+name, "/")
}

// id is a client identifier of this case alone.
func (r *run) id(name string) string { return r.unique + name }

// dial opens a connection on which nothing was said yet.
func (r *run) dial() *client {
	r.Helper()
	subprotocol := "mqtt"
	if r.version == v31 {
		subprotocol = "mqttv3.1"
	}
	s, err := r.link.dial(r.Context(), subprotocol)
	if err != nil {
		r.Fatal(err)
	}
	c := &client{t: r.T, stream: s, r: bufio.NewReader(s), version: r.version}
	r.Cleanup(c.lost)
	return c
}

// hello completes a CONNECT with what the target wants.
func (r *run) hello(in connect) connect {
	if in.version == 0 {
		in.version = r.version
	}
	if in.username == "" && !in.noUsername {
		in.username = r.target.username
	}
	if in.password == "" && !in.noPassword {
		in.password = r.target.password
	}
	return in
}

// fresh is a CONNECT of a client of this case alone.
func (r *run) fresh() connect {
	r.clients++
	return connect{id: r.id(fmt.Sprintf("x%d", r.clients))}
}

// try sends a CONNECT and returns the client with whatever CONNACK came.
func (r *run) try(in connect) *client {
	r.Helper()
	in = r.hello(in)
	c := r.dial()
	c.version, c.id = in.version, in.id
	c.send(in.encode())
	c.connack = c.expect(tCONNACK)
	return c
}

// connect is try for what must succeed.
func (r *run) connect(in connect) *client {
	r.Helper()
	c := r.try(in)
	if c.connack.code != 0 {
		r.Fatalf("%v", c.connack)
	}
	return c
}

// client connects with a clean session of its own.
func (r *run) client() *client {
	r.Helper()
	return r.connect(r.fresh())
}

// is fails the case unless got is want.
func is[T comparable](r *run, what string, got, want T) {
	r.Helper()
	if got != want {
		r.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// number returns the number of a property, or -1 without it.
func number(props []prop, id byte) int {
	if p := get(props, id); p != nil {
		return p.n
	}
	return -1
}

// value returns the text of a property, or "" without it.
func value(props []prop, id byte) string {
	if p := get(props, id); p != nil {
		return p.s
	}
	return ""
}

// denied is the code by which a SUBSCRIBE is refused.
func (r *run) denied() byte {
	if r.version == v5 {
		return 0x87
	}
	return 0x80
}
