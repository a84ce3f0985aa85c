package session_test

import (
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// commands are the words of the scripts. Those named like a packet send it.
var commands = map[string]func(*world, *args){
	"new":         cmdNew,
	"open":        cmdOpen,
	"connect":     cmdConnect,
	"accept":      cmdAccept,
	"refuse":      cmdRefuse,
	"publish":     cmdPublish,
	"published":   cmdPublished,
	"puback":      cmdPuback,
	"subscribe":   cmdSubscribe,
	"subscribed":  cmdSubscribed,
	"unsubscribe": cmdUnsubscribe,
	"ping":        func(w *world, _ *args) { w.receive(packet.Pingreq{}.Append(nil)) },
	"disconnect":  func(w *world, _ *args) { w.receive(packet.Disconnect{}.Append(nil)) },
	"raw":         cmdRaw,
	"deliver":     cmdDeliver,
	"drained":     func(w *world, _ *args) { w.session.Drained(w.now) },
	"takeover":    func(w *world, _ *args) { w.session.Takeover(w.now) },
	"shutdown":    func(w *world, _ *args) { w.session.Shutdown(w.now) },
	"drop":        func(w *world, _ *args) { w.session.Lost(w.now) },
	"alive":       func(w *world, _ *args) { w.session.Alive(w.now) },
	"wait":        func(w *world, a *args) { w.pass(a) },
	"tick":        func(w *world, a *args) { w.pass(a); w.session.Tick(w.now) },
	"deadline":    cmdDeadline,
	"state":       cmdState,
}

func cmdNew(w *world, a *args) {
	l := session.DefaultLimits()
	if d, ok := a.duration("connect_timeout"); ok {
		l.ConnectTimeout = d
	}
	for name, field := range map[string]*int{
		"inflight": &l.MaxInflight, "pending": &l.MaxPending, "pending_bytes": &l.MaxPendingBytes,
		"subscriptions": &l.MaxSubscriptions, "filters": &l.MaxFiltersPerSubscribe,
		"unacknowledged": &l.MaxUnacknowledged, "levels": &l.MaxTopicLevels,
		"topic_bytes": &l.MaxTopicBytes, "client_id": &l.MaxClientID,
	} {
		*field = a.number(name, *field)
	}
	w.reset(l, a.number("packet", 1<<10))
}

// cmdOpen is new, connect and accept without their trace.
func cmdOpen(w *world, a *args) {
	cmdNew(w, a)
	cmdConnect(w, a)
	w.trace()
	cmdAccept(w, a)
	w.trace()
	if w.said = nil; !w.session.Connected() {
		w.t.Fatalf("%s: not connected", a.line)
	}
}

func cmdConnect(w *world, a *args) {
	p := packet.Connect{
		ClientID: a.text("client", "phone"), Clean: !a.has("unclean"),
		KeepAlive: uint16(a.number("keepalive", 0)), Version: packet.Version(a.number("version", 0)),
	}
	p.Username, p.HasUsername = a.take("user")
	if password, ok := a.take("password"); ok {
		p.Password, p.HasPassword = []byte(password), true
	}
	if name, ok := a.take("will"); ok {
		p.Will = &packet.Will{
			Topic: name, Payload: []byte(a.text("payload", "gone")),
			QoS: byte(a.number("qos", 0)), Retain: a.has("retain"),
		}
	}
	w.receive(p.Append(nil))
}

func cmdAccept(w *world, a *args) {
	if id, ok := a.take("client"); ok {
		w.connect.ClientID = id
	}
	admission := session.Admission{
		Authorizer: grants{allow: list(a.text("grants", "acme/#")), deny: list(a.text("deny", ""))},
		Shard:      uint16(a.number("shard", 0)),
	}
	if w.connect != nil {
		admission.Key = broker.SessionKey("acme", "chat", "ana", w.connect.ClientID)
	}
	if d, ok := a.duration("expires"); ok {
		admission.Expires = w.now.Add(d)
	}
	w.session.Accept(admission, w.now)
}

func cmdRefuse(w *world, a *args) {
	w.session.Refuse(packet.ConnackCode(a.number("code", 4)), session.ReasonBadCredentials, w.now)
}

func cmdPublish(w *world, a *args) {
	w.receive(packet.Publish{
		Topic: []byte(a.text("topic", "acme/t")), QoS: byte(a.number("qos", 0)), PacketID: uint16(a.number("id", 0)),
		Dup: a.has("dup"), Retain: a.has("retain"), Payload: []byte(a.text("payload", "hi")),
	}.Append(nil))
}

// failures are the errors that a script can name.
var failures = map[string]error{
	"":            nil,
	"unavailable": broker.ErrUnavailable,
	"overloaded":  broker.ErrOverloaded,
	"other":       errors.New("disk on fire"),
}

func cmdPublished(w *world, a *args) {
	w.session.Published(uint16(a.number("id", 0)), failures[a.text("error", "")], w.now)
}

func cmdPuback(w *world, a *args) {
	w.receive(packet.Ack{Type: packet.PUBACK, PacketID: uint16(a.number("id", 0))}.Append(nil))
}

// cmdSubscribe takes filter:qos words.
func cmdSubscribe(w *world, a *args) {
	p := packet.Subscribe{PacketID: uint16(a.number("id", 0))}
	for _, word := range a.rest() {
		i := strings.LastIndexByte(word, ':')
		qos, err := strconv.Atoi(word[i+1:])
		if err != nil {
			w.t.Fatal(err)
		}
		p.Subscriptions = append(p.Subscriptions, packet.Subscription{Filter: word[:i], QoS: byte(qos)})
	}
	w.receive(p.Append(nil))
}

func cmdSubscribed(w *world, a *args) {
	w.session.Subscribed(uint16(a.number("id", 0)), failures[a.text("error", "")], w.now)
}

func cmdUnsubscribe(w *world, a *args) {
	w.receive(packet.Unsubscribe{PacketID: uint16(a.number("id", 0)), Filters: a.rest()}.Append(nil))
}

func cmdRaw(w *world, a *args) {
	b, err := hex.DecodeString(strings.Join(a.rest(), ""))
	if err != nil {
		w.t.Fatal(err)
	}
	w.receive(b)
}

func cmdDeliver(w *world, a *args) {
	payload := a.text("payload", "hi")
	m := &broker.Message{
		Topic: a.text("topic", "acme/t"), QoS: byte(a.number("qos", 0)), Retain: a.has("retain"),
		Payload: []byte(strings.Repeat(payload, a.number("times", 1))),
	}
	if d, ok := a.duration("expires"); ok {
		m.Expires = w.now.Add(d).UnixMilli()
	}
	w.session.Deliver(m, &w.encodings, a.has("congested"), w.now)
}

// pass lets the time pass that a command's one word names.
func (w *world) pass(a *args) {
	d, err := time.ParseDuration(strings.Join(a.rest(), ""))
	if err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(d)
}

func cmdDeadline(w *world, _ *args) {
	d := w.session.Deadline()
	if d.IsZero() {
		w.said = append(w.said, "no deadline")
		return
	}
	w.said = append(w.said, "deadline in "+d.Sub(w.now).String())
}

func cmdState(w *world, _ *args) {
	s := w.session
	w.said = append(w.said, "connected="+strconv.FormatBool(s.Connected())+" closed="+strconv.FormatBool(s.Closed())+
		" client="+s.ClientID()+" key="+s.Key())
}
