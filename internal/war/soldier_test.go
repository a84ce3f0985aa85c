package war_test

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// soldier is one device. Its squad's goroutine moves it; the goroutine that
// reads its connection tells the squad what arrives.
type soldier struct {
	squad     *squad
	user, app string
	id        string // the client identifier
	version   packet.Version
	wide      bool // may do everything in its organization
	durable   bool
	login     bool   // connects with a user name and a password
	mount     string // in front of its topics, in mounted mode
	token     string
	home      []string // what it subscribes to, as it says it

	client  *client
	known   bool // the server has a session of it, if it is durable
	leaving bool // its connection may end

	// What follows is the squad's mu's.
	online  bool
	subs    map[string]byte // full filters and their QoS
	granted map[string]bool // full filters without prefix that it ever had
	expects map[string]*pub
	sent    map[uint16]*order
	shares  []*group
}

// pub is a message that is to reach somebody.
type pub struct {
	text  string
	left  int  // receivers that wait for it
	asked bool // it is an operation of its own
}

// order is a publish that is not acknowledged.
type order struct {
	topic   string // in full
	allowed bool
}

// group is a share group of a squad: one of its members gets each message.
type group struct {
	filter  string // full, without prefix
	members map[*soldier]bool
	expects map[string]*pub
}

func (s *soldier) String() string {
	return fmt.Sprintf("%s/%s/%s/%s (%v)", s.squad.side.slug, s.app, s.user, s.id, s.version)
}

// full is a topic as the server knows it. $SYS is nobody's.
func (s *soldier) full(topic string) string {
	if s.mount == "" || topic == "$SYS" || strings.HasPrefix(topic, "$SYS/") {
		return topic
	}
	return s.mount + topic
}

// said is the opposite of full.
func (s *soldier) said(full string) string { return strings.TrimPrefix(full, s.mount) }

// mayPublish is what the rules of found say.
func (s *soldier) mayPublish(full string) bool {
	own := s.squad.side.slug + "/" + s.app + "/"
	switch {
	case !inside(s.squad.side.slug, full):
		return false
	case s.wide:
		return true
	case strings.HasPrefix(full, own+"own/"+s.user+"/"), strings.HasPrefix(full, own+"users/"+s.user+"/up/"):
		return true
	case s.mount == "" || !strings.HasPrefix(full, s.mount):
		return false
	}
	space, _, _ := strings.Cut(s.said(full), "/")
	switch space {
	case "users", "devices", "topics", "tags", "broadcast":
		return false
	}
	return !strings.HasPrefix(space, "$")
}

// mark is how a message says who has sent it.
type mark struct{ org, app, client, number string }

func (m mark) String() string {
	return "|" + m.org + "|" + m.app + "|" + m.client + "|" + m.number + "|"
}

// readMark finds a mark anywhere in a payload.
func readMark(payload []byte) (m mark, ok bool) {
	_, rest, ok := bytes.Cut(payload, []byte("|"))
	if !ok {
		return m, false
	}
	fields := bytes.SplitN(rest, []byte("|"), 5)
	if len(fields) < 5 {
		return m, false
	}
	return mark{string(fields[0]), string(fields[1]), string(fields[2]), string(fields[3])}, true
}

// received is the oracle's eye: it looks at every message that arrives.
func (s *soldier) received(p *packet.Publish) {
	q, w := s.squad, s.squad.war
	w.deliveries.Add(1)
	org, full := q.side.slug, s.full(string(p.Topic))
	m, ok := readMark(p.Payload)
	switch {
	case ok && m.org != org:
		w.violate("crossing", "%v received what %v has sent, as %q", s, m, p.Topic)
	case !ok && len(p.Payload) > 0:
		w.violate("crossing", "%v received %q on %q, which nobody has sent", s, p.Payload, p.Topic)
	case !inside(org, full):
		w.violate("crossing", "%v received the topic %q", s, p.Topic)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !s.listens(full) {
		w.violate("unasked", "%v received %v on %q, which matches nothing that it was granted: %q", s, m, full, keys(s.granted))
	}
	if ok {
		s.fulfil(m.String())
	}
	q.wake()
}

// listens needs mu, as all of what follows.
func (s *soldier) listens(full string) bool {
	for filter := range s.granted {
		if covers(filter, full) {
			return true
		}
	}
	return false
}

func (s *soldier) fulfil(text string) {
	if p := s.expects[text]; p != nil {
		delete(s.expects, text)
		s.squad.reached(p)
		return
	}
	for _, g := range s.shares {
		if p := g.expects[text]; p != nil {
			delete(g.expects, text)
			s.squad.reached(p)
			return
		}
	}
}

// acked takes the answer to a publish.
func (s *soldier) acked(p packet.Ack) {
	q := s.squad
	q.mu.Lock()
	defer q.mu.Unlock()
	o := s.sent[p.PacketID]
	delete(s.sent, p.PacketID)
	q.wake()
	switch {
	case o == nil:
		q.war.violate("answer", "%v: an answer %d to nothing", s, p.PacketID)
	case p.Reason >= packet.UnspecifiedError && o.allowed:
		q.war.violate("refused", "%v may publish to %q, and is answered %v", s, o.topic, p.Reason)
	case p.Reason >= packet.UnspecifiedError:
		q.war.refuse("PUBACK " + p.Reason.String())
	case !o.allowed && s.version == packet.V5:
		q.war.violate("crossing", "%v must not publish to %q, and is answered %v", s, o.topic, p.Reason)
	case !o.allowed:
		q.war.refuse("PUBLISH of 3.1.1, taken in silence")
	}
}

// door is what the soldier connects with.
func (s *soldier) door(will *packet.Will) door {
	d := door{
		version: s.version, id: s.id, username: s.squad.side.slug + "/" + s.app, password: s.token,
		clean: !s.durable, will: will,
	}
	if s.login {
		d.username, d.password = d.username+"/"+s.user, s.squad.side.loginPassword()
	}
	if s.durable {
		d.expiry = 3600
	}
	return d
}

// enter connects and subscribes to what the session has not.
func (s *soldier) enter(will *packet.Will) bool {
	q := s.squad
	c, ack, err := dial(q.war.server.mqtt, s.door(will), s.received, s.acked)
	switch {
	case err != nil || refused(ack):
		if c != nil {
			c.drop()
		}
		q.war.violate("closed", "%v cannot connect: %v %v %v", s, ack.Code, ack.Reason, err)
		return false
	case ack.SessionPresent != (s.durable && s.known):
		q.war.violate("takeover", "%v: session present is %t", s, ack.SessionPresent)
	}
	s.client, s.known, s.leaving = c, s.durable, false
	q.mu.Lock()
	s.online = true
	if !ack.SessionPresent {
		clear(s.subs)
	}
	q.mu.Unlock()
	if ack.SessionPresent {
		return true
	}
	return s.subscribe(1, s.home...)
}

// subscribe asks for filters that have to be granted, and counts on them.
func (s *soldier) subscribe(qos byte, filters ...string) bool {
	codes, err := s.ask(qos, filters...)
	if err != nil {
		s.lost("SUBSCRIBE", err)
		return false
	}
	q := s.squad
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, code := range codes {
		if code >= 0x80 {
			q.war.violate("refused", "%v may subscribe to %q, and is answered %#x", s, filters[i], code)
			return false
		}
		prefix, rest := stripped(filters[i])
		s.hold(prefix, s.full(rest), code)
	}
	return true
}

// ask subscribes. A filter is taken for granted before it is: what it matches
// may come before the SUBACK.
func (s *soldier) ask(qos byte, filters ...string) ([]byte, error) {
	q := s.squad
	subs, presumed := make([]packet.Subscription, len(filters)), make([]string, len(filters))
	q.mu.Lock()
	for i, filter := range filters {
		subs[i] = packet.Subscription{Filter: filter, QoS: qos}
		_, rest := stripped(filter)
		if full := s.full(rest); !s.granted[full] && inside(q.side.slug, full) {
			s.granted[full], presumed[i] = true, full
		}
	}
	q.mu.Unlock()
	codes, err := s.client.subscribe(subs...)
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, code := range codes {
		if code >= 0x80 && presumed[i] != "" {
			delete(s.granted, presumed[i])
		}
	}
	return codes, err
}

// hold notes a subscription; it needs mu.
func (s *soldier) hold(prefix, full string, qos byte) {
	q := s.squad
	if prefix == "" || prefix == "$local/" {
		s.subs[full] = qos
		return
	}
	g := q.groups[prefix+full]
	if g == nil {
		g = &group{filter: full, members: map[*soldier]bool{}, expects: map[string]*pub{}}
		q.groups[prefix+full] = g
	}
	if !g.members[s] {
		g.members[s] = true
		s.shares = append(s.shares, g)
	}
}

// release undoes hold for filters that the soldier has unsubscribed.
func (s *soldier) release(filters ...string) {
	q := s.squad
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, filter := range filters {
		prefix, rest := stripped(filter)
		if prefix == "" || prefix == "$local/" {
			delete(s.subs, s.full(rest))
		}
	}
}

// gone notes that the connection is over. Sharing ends with it, which only
// soldiers without a session do.
func (s *soldier) gone() {
	q := s.squad
	q.mu.Lock()
	defer q.mu.Unlock()
	s.online = false
	clear(s.sent)
	if s.durable {
		return
	}
	clear(s.subs)
	for _, g := range s.shares {
		delete(g.members, s)
	}
	s.shares = nil
}

// muster looks whether the connection stands. Nobody but the soldier itself may
// have ended it.
func (s *soldier) muster() bool {
	if s.client == nil {
		return false
	}
	if s.client.open() {
		return true
	}
	if !s.leaving {
		s.lost("meanwhile", errClosed)
	}
	return false
}

// lost is a connection that has ended without a reason.
func (s *soldier) lost(when string, err error) {
	if s.squad.war.ctx.Err() != nil {
		return // its end takes all of them along
	}
	kind := "closed"
	var reason packet.ReasonCode
	select {
	case <-s.client.gone:
		if reason = s.client.farewell; reason == packet.SessionTakenOver {
			kind = "takeover"
		}
	case <-time.After(time.Second):
	}
	s.squad.war.violate(kind, "%v: %s: %v, reason %v", s, when, err, reason)
}

// dismiss ends the connection in peace.
func (s *soldier) dismiss() {
	if s.client == nil {
		return
	}
	s.leaving = true
	s.client.leave()
	s.client = nil
	s.gone()
}

func keys(m map[string]bool) (list []string) {
	for key := range m {
		list = append(list, key)
	}
	return list
}
