package session_test

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// commands are the words of the scripts. Those named like a packet send it,
// those named like a method call it.
var commands = map[string]func(*world, *args){
	"new":             cmdNew,
	"open":            cmdOpen,
	"resume":          cmdResume,
	"connect":         cmdConnect,
	"accept":          cmdAccept,
	"claimed":         cmdClaimed,
	"persisted":       cmdPersisted,
	"refuse":          cmdRefuse,
	"auth":            cmdAuth,
	"reauthenticated": cmdReauthenticated,
	"regrant":         cmdRegrant,
	"revoke":          func(w *world, _ *args) { w.session.Revoke(w.now) },
	"suspend":         func(w *world, _ *args) { w.session.Suspend(w.now) },
	"publish":         cmdPublish,
	"published":       cmdPublished,
	"puback":          func(w *world, a *args) { cmdAck(w, a, packet.PUBACK) },
	"pubrec":          func(w *world, a *args) { cmdAck(w, a, packet.PUBREC) },
	"pubrel":          func(w *world, a *args) { cmdAck(w, a, packet.PUBREL) },
	"pubcomp":         func(w *world, a *args) { cmdAck(w, a, packet.PUBCOMP) },
	"subscribe":       cmdSubscribe,
	"subscribed":      cmdSubscribed,
	"unsubscribe":     cmdUnsubscribe,
	"ping":            func(w *world, _ *args) { w.receive(packet.Pingreq{}.Append(nil)) },
	"disconnect":      cmdDisconnect,
	"raw":             cmdRaw,
	"log":             func(w *world, a *args) { w.message(a) },
	"deliver":         cmdDeliver,
	"shared":          cmdShared,
	"taken":           func(w *world, a *args) { w.session.Taken(loan(a.number("seq", 0)), w.now) },
	"page":            cmdPage,
	"fetched":         cmdFetched,
	"replayed":        cmdReplayed,
	"probe":           func(w *world, _ *args) { w.session.Probe(w.now) },
	"expel":           func(w *world, a *args) { w.session.Expel(reasonOf(w, a, session.ReasonQuota), w.now) },
	"congest":         func(w *world, _ *args) { w.session.Congest() },
	"drained":         func(w *world, _ *args) { w.session.Drained(w.now) },
	"takeover":        func(w *world, _ *args) { w.session.Takeover(w.now) },
	"shutdown":        func(w *world, _ *args) { w.session.Shutdown(w.now) },
	"redirect":        func(w *world, a *args) { w.session.Redirect(a.text("to", ""), w.now) },
	"drop":            func(w *world, _ *args) { w.session.Lost(w.now) },
	"alive":           func(w *world, _ *args) { w.session.Alive(w.now) },
	"wait":            func(w *world, a *args) { w.pass(a) },
	"tick":            func(w *world, a *args) { w.pass(a); w.session.Tick(w.now) },
	"deadline":        cmdDeadline,
	"state":           cmdState,
}

func cmdNew(w *world, a *args) {
	l := session.DefaultLimits()
	if d, ok := a.duration("connect_timeout"); ok {
		l.ConnectTimeout = d
	}
	l.MaxPacket = 1 << 10
	for name, field := range map[string]*int{
		"inflight": &l.MaxInflight, "acked": &l.MaxAcked, "may_receive": &l.MaxReceive, "packet": &l.MaxPacket,
		"subscriptions": &l.MaxSubscriptions, "filters": &l.MaxFiltersPerSubscribe,
		"unacknowledged": &l.MaxUnacknowledged, "levels": &l.MaxTopicLevels,
		"topic_bytes": &l.MaxTopicBytes, "client_id": &l.MaxClientID,
	} {
		*field = a.number(name, *field)
	}
	l.MaxTopicAlias = uint16(a.number("alias_limit", int(l.MaxTopicAlias)))
	l.MaxKeepAlive = uint16(a.number("keepalive_limit", int(l.MaxKeepAlive)))
	w.reset(l)
	w.retained, w.claims, w.persists, w.takes = a.has("retained"), a.has("claims"), a.has("persists"), a.has("takes")
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

// cmdResume connects again, to what the last session has left, with the time
// and the log as they are. The trace begins with the CONNACK.
func cmdResume(w *world, a *args) {
	if !w.session.Closed() {
		w.t.Fatalf("%s: the last session is not over", a.line)
	}
	v, unclean := w.version, !a.has("clean")
	w.persists = w.persists || a.has("persists")
	w.session, w.owner = session.New(&w.limits, w.now), false
	a.words = append(a.words, "v="+strconv.Itoa(a.number("v", int(v))))
	if unclean {
		a.words = append(a.words, "unclean")
	}
	cmdConnect(w, a)
	w.trace()
	a.words = append(a.words, "record")
	cmdAccept(w, a)
}

func cmdRaw(w *world, a *args) {
	b, err := hex.DecodeString(strings.Join(a.rest(), ""))
	if err != nil {
		w.t.Fatal(err)
	}
	w.receive(b)
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
