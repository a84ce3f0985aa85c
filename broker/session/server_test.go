package session_test

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/fault"
)

// Commands that are the driver's answers, and messages for the client.

// failures are the errors that a script can name.
var failures = map[string]error{
	"":            nil,
	"unavailable": broker.ErrUnavailable,
	"overloaded":  broker.ErrOverloaded,
	"quota":       broker.ErrRetainedQuota,
	"full":        broker.ErrLogFull,
	"conflict":    broker.ErrConflict,
	"record":      broker.ErrRecord,
	"too_large":   fault.New(fault.PayloadTooLarge, "too many bytes"),
	"other":       errors.New("disk on fire"),
}

func (a *args) failure() error { return failures[a.text("error", "")] }

func (a *args) authorizer() session.Authorizer {
	g := grants{allow: list(a.text("grants", "acme/#")), deny: list(a.text("deny", ""))}
	p := &purse{grants: g, messages: a.number("messages", math.MaxInt), credit: uint32(a.number("credit", math.MaxUint32))}
	p.bounds = session.Bounds{
		TopicLevels: a.number("max_levels", 0), TopicBytes: a.number("max_bytes", 0), Payload: a.number("max_payload", 0),
	}
	if p.bounds == (session.Bounds{}) && p.messages == math.MaxInt && p.credit == math.MaxUint32 {
		return g
	}
	return p
}

func cmdAccept(w *world, a *args) {
	id, given := a.take("client")
	if given && w.connect != nil {
		w.connect.ClientID = id
	}
	admission := session.Admission{
		Authorizer: a.authorizer(), Shard: uint16(a.number("shard", 0)), Node: a.text("node", "n1"),
		Mount: a.text("mount", ""), Lossless: !a.has("lossy"), Assigned: given,
		ResponseInfo: a.text("answers", ""), MaxExpiry: time.Hour, NextID: w.nextID,
	}
	if d, ok := a.duration("max_expiry"); ok {
		admission.MaxExpiry = d
	}
	if w.connect != nil {
		admission.Key = broker.SessionKey("acme", "chat", "ana", w.connect.ClientID)
	}
	if d, ok := a.duration("expires"); ok {
		admission.Expires = w.now.Add(d)
	}
	if d, ok := a.duration("retention"); ok {
		admission.Retention = d
	}
	if w.found = nil; a.has("record") && w.connect != nil && !w.connect.Clean {
		w.found = w.record
	}
	w.session.Accept(admission, w.now)
}

// cmdClaimed answers a Claim, with what an earlier connection has left if that
// is to be found.
func cmdClaimed(w *world, a *args) {
	if a.has("record") {
		w.found = w.record
	}
	w.claimed(a.failure())
}

func cmdPersisted(w *world, a *args) { w.persisted(a.failure()) }

// refusals are the reasons that a script can name.
func cmdRefuse(w *world, a *args) {
	w.session.Refuse(reasonOf(w, a, session.ReasonBadCredentials), w.now)
}

func reasonOf(w *world, a *args, missing session.Reason) session.Reason {
	name := a.text("reason", missing.Name)
	for _, r := range session.Reasons() {
		if r.Name == name {
			r.ServerReference = a.text("to", "")
			return r
		}
	}
	w.t.Fatalf("%s: no such reason", a.line)
	return session.Reason{}
}

func cmdReauthenticated(w *world, a *args) {
	var expires time.Time
	if d, ok := a.duration("expires"); ok {
		expires = w.now.Add(d)
	}
	w.session.Reauthenticated(a.authorizer(), expires, a.failure(), w.now)
}

// cmdRegrant lets the authorizer answer otherwise from now on.
func cmdRegrant(w *world, a *args) {
	w.session.SetAuthorizer(a.authorizer())
	w.session.Regrant(w.now)
}

func cmdPublished(w *world, a *args) {
	w.session.Published(uint16(a.number("id", 0)), a.failure(), w.now)
}

func cmdSubscribed(w *world, a *args) {
	w.session.Subscribed(uint16(a.number("id", 0)), uint64(a.number("head", int(w.head))), a.failure(), w.now)
}

// message makes a message, and appends it to the log if it has QoS 1 or 2: at
// the sequence that seq names, or the next one. Sequence 0 leaves it out.
func (w *world) message(a *args) *broker.Message {
	m := &broker.Message{
		Topic: a.text("topic", "acme/t"), QoS: byte(a.number("qos", 0)), Retain: a.has("retain"),
		Payload: []byte(strings.Repeat(a.text("payload", "hi"), a.number("times", 1))),
		UTF8:    a.has("utf8"), ContentType: a.text("type", ""), ResponseTopic: a.text("response", ""),
		User: a.pairs("props"), Publisher: a.text("by", ""), Node: a.text("node", "n1"),
	}
	if err := m.ID.SetTime(ulid.Timestamp(w.now)); err != nil {
		w.t.Fatal(err)
	}
	if c, ok := a.take("correlation"); ok {
		m.Correlation = []byte(c)
	}
	if d, ok := a.duration("expires"); ok {
		m.Expires = w.now.Add(d).UnixMilli()
	}
	next := 0
	if m.QoS > 0 {
		next = int(w.head) + 1
	}
	m.Position.Seq, m.Previous = uint64(a.number("seq", next)), uint64(a.number("previous", 0))
	if seq := m.Position.Seq; seq > 0 {
		w.head, w.log[seq] = max(w.head, seq), m
	}
	return m
}

// cmdDeliver delivers a new message, or with `again=seq` one of the log.
func cmdDeliver(w *world, a *args) {
	var m *broker.Message
	if seq := a.number("again", 0); seq != 0 {
		m = w.log[uint64(seq)]
	} else {
		m = w.message(a)
	}
	w.session.Deliver(m, &w.encodings, a.has("congested"), w.now)
}

func cmdShared(w *world, a *args) {
	filter, congested := a.text("filter", "$share/g/acme/t"), a.has("congested")
	m := w.message(a)
	var l broker.Loan
	if m.QoS > 0 {
		l = loan(m.Position.Seq)
	}
	took := w.session.DeliverShared(filter, m, l, congested, w.now)
	if !took {
		w.said = append(w.said, "not taken")
	}
}

// logged returns the messages at the sequences that are a command's bare words.
func (w *world) logged(words []string) []*broker.Message {
	var messages []*broker.Message
	for _, word := range words {
		seq, err := strconv.ParseUint(word, 10, 64)
		if err != nil || w.log[seq] == nil {
			w.t.Fatalf("%s: not in the log", word)
		}
		messages = append(messages, w.log[seq])
	}
	return messages
}

// cmdPage answers a Read with the messages that its words name, as a log does
// whose head is up_to.
func cmdPage(w *world, a *args) {
	err, more := a.failure(), a.has("more")
	upTo := uint64(a.number("up_to", int(w.head)))
	if more {
		upTo = 0
	}
	w.session.Page(broker.Page{UpTo: upTo, More: more, Messages: w.logged(a.rest())}, err, w.now)
}

// cmdFetched answers the last Fetch: what `gone` names is not in the log any more.
func cmdFetched(w *world, a *args) {
	err := a.failure()
	for _, m := range w.logged(list(a.text("gone", ""))) {
		delete(w.log, m.Position.Seq)
	}
	for _, m := range w.logged(list(a.text("foreign", ""))) {
		other := *m
		other.Topic = "globex/t"
		w.log[m.Position.Seq] = &other
	}
	messages := make([]*broker.Message, len(w.seqs))
	for i, seq := range w.seqs {
		messages[i] = w.log[seq]
	}
	w.session.Fetched(w.seqs, messages, err, w.now)
}

func cmdReplayed(w *world, a *args) {
	err, cursor, done := a.failure(), a.number("cursor", 1), !a.has("more")
	w.session.Replayed(uint32(cursor), w.logged(a.rest()), done, err, w.now)
}
