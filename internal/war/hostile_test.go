package war_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

// foreignNames are topics of the foe, or what somebody might take for them.
// Some turn out to be the own organization's: then they may be published to.
func (q *squad) foreignNames() []string {
	f, o := q.foe.slug, q.side.slug
	room := fmt.Sprintf("/chat/room/%d/b", q.number)
	return []string{
		f + room, f + room, f + "/stock" + strings.TrimPrefix(room, "/chat"), f + fmt.Sprintf("/chat/keep/%d/%d", q.number, q.random.IntN(8)),
		f + "/chat/users/" + q.name("ana"), f + "/chat/users/" + q.name("ana") + "/up/x", f + "/chat/broadcast", f + "/" + f + "/x",
		"$share/g/" + f + room, "$queue/" + f + room, "$local/" + f + room, "$share/g/" + o + room, "$SYS/broker/uptime", "$" + f + room,
		o + "/../" + f + room, o + "/./" + f + room, "/" + f + room, "//" + f + room, f + "//chat", f + "/",
		o + "%2F.." + room, f + "%2F" + room[1:], "%" + f + room, o + "." + f + room, f + ".chat.room.x", o + ".>/" + f, "*/chat/b", ">/b",
		strings.ToUpper(f) + room, " " + f + room, f + " " + room, f + "\u200b" + room, "\ufeff" + f + room, f + "\u2215chat", o[:len(o)-1] + room,
		o + "-evil" + room, o + "x" + room, "acme" + room, "acme-evil" + room, "live/" + f + "/chat", "log/0/" + f, "ctl/app", "${org}" + room,
	}
}

// foreignFilters are the same to subscribe to.
func (q *squad) foreignFilters() []string {
	f, o := q.foe.slug, q.side.slug
	all := []string{
		"#", "+/#", "/#", "+/+/#", "+/chat/#", "+/+/room/#", "+", "$SYS/#", "$SYS/broker/#", "$share/g/#", "$share/g/+/chat/#", "$queue/#", "$local/#",
		"$queue/+/#", "$local/+/chat/#", "$share/" + o + "/" + f + "/#", "$share/" + f + "/" + f + "/chat/#", "$share/g/" + f + "/#", "$queue/" + f + "/#",
		"$local/" + f + "/#", "$local/$share/g/" + f + "/#", "$share/g/$local/" + f + "/#", "$queue/$share/g/" + f + "/#", "$share/$share/" + f + "/#",
		"$share/g/$queue/" + f + "/#", "$share//" + f + "/#", "$share/" + f, "$share/g/" + f, f + "/#", f + "/#", f + "/+/+/+/#", f + "/+/room/#", f, o,
		f + "/chat/keep/" + fmt.Sprint(q.number) + "/+", f + "/chat/users/+", o + "/../" + f + "/#", o + "/" + f + "/#", o + "%2F/#", f + "%2F/#",
		"*/#", ">", "*", o + "/>", o + ".>", f + ".>", o + "/*/#", strings.ToUpper(f) + "/#", f + "\u200b/#", "\ufeff" + f + "/#", " " + f + "/#",
		o + "-evil/#", o + "-evil/+/room/#", o[:len(o)-1] + "/#", "acme/#", "acme-evil/#", "${org}/#", "live/" + f + "/#", "log/#", "+/" + f + "/#",
	}
	for _, name := range q.foreignNames() {
		all = append(all, name, name+"/#")
	}
	return all
}

// eavesdrop subscribes to what is the foe's, or looks like it.
func eavesdrop(q *squad, s *soldier) {
	var filters []string
	for range 1 + q.random.IntN(3) {
		filter := pickOf(q.random, q.foreignFilters())
		_, rest := stripped(filter)
		// What is granted stays in the oracle's book, which must stay strict for
		// those with a session.
		if s.durable && inside(q.side.slug, s.full(rest)) {
			continue
		}
		filters = append(filters, filter)
	}
	if len(filters) == 0 {
		return
	}
	q.note("%v subscribes to %q", s, filters)
	codes, err := s.ask(byte(q.random.IntN(3)), filters...)
	if err != nil {
		s.lost(fmt.Sprintf("SUBSCRIBE to %q", filters), err)
		return
	}
	for i, code := range codes {
		_, rest := stripped(filters[i])
		switch in := inside(q.side.slug, s.full(rest)); {
		case code < 0x80 && !in:
			q.war.violate("crossing", "%v is granted %q", s, filters[i])
		case code >= 0x80:
			q.war.refuse("SUBACK " + packet.ReasonCode(code).String())
		}
	}
	if err := s.client.unsubscribe(filters...); err != nil {
		s.lost("UNSUBSCRIBE", err)
	}
}

// impersonate connects with what is not the soldier's.
func impersonate(q *squad, s *soldier) {
	d := s.door(nil)
	d.clean, d.expiry = true, 0
	app, kind := s.app, ""
	switch q.random.IntN(4) {
	case 0:
		kind = "own token, foe's user name"
		d.username = q.foe.slug + "/" + app
	case 1:
		kind = "foe's key identifier, own secret"
		d.username = pickOf(q.random, []string{"", q.foe.slug + "/" + app, q.side.slug + "/" + app})
		d.password = forge(q.foe.kids[app], q.side.signing[app], s.user)
	case 2:
		kind = "own key identifier, foe's name"
		d.username = q.foe.slug + "/" + app
		d.password = forge(q.side.kids[app], q.side.signing[app], s.user)
	case 3:
		kind = "own password, foe's login"
		d.username, d.password = q.foe.slug+"/chat/meter", q.side.loginPassword()
	}
	q.note("%v connects with %s", s, kind)
	c, ack, err := dial(q.war.server.mqtt, d, s.received, s.acked)
	if c != nil {
		defer c.drop()
	}
	switch {
	case err != nil:
		q.war.refuse("CONNECT, closed")
	case !refused(ack):
		q.war.violate("crossing", "%v is let in with %s", s, kind)
	default:
		q.war.refuse(fmt.Sprintf("CONNACK %v %v", ack.Code, ack.Reason))
	}
}

// forge signs a token that names a key.
func forge(kid, secret, user string) string {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": user, "exp": time.Now().Add(time.Hour).Unix(), "tags": []string{"wide"},
	})
	t.Header["kid"] = kid
	signed, err := t.SignedString([]byte(secret))
	if err != nil {
		panic(err) // of a map and a string that cannot be
	}
	return signed
}

// spy is a connection of its own, with a client identifier that looks like
// somebody else's session, for what may end it.
func (q *squad) spy(s *soldier) (*client, *soldier) {
	spy := &soldier{
		squad: q, user: s.user, app: s.app, version: s.version, wide: s.wide, mount: s.mount, token: s.token,
		id:   pickOf(q.random, []string{"spy", "../" + q.foe.slug + "/chat/ana/ana", q.foe.slug, "a/b", "%", "*", ">", "$SYS", "."}) + fmt.Sprint(q.number),
		subs: map[string]byte{}, granted: map[string]bool{}, expects: map[string]*pub{}, sent: map[uint16]*order{},
	}
	c, ack, err := dial(q.war.server.mqtt, spy.door(nil), spy.received, func(packet.Ack) {})
	switch {
	case err != nil || refused(ack):
		q.war.violate("closed", "%v cannot connect: %v %v %v", spy, ack.Code, ack.Reason, err)
		return nil, nil
	case ack.SessionPresent:
		q.war.violate("takeover", "%v: there is a session", spy)
	}
	return c, spy
}

// garble sends what no client may: the connection may end, and nothing else.
func garble(q *squad, s *soldier) {
	c, spy := q.spy(s)
	if c == nil {
		return
	}
	defer c.drop()
	f := q.foe.slug
	evil := pickOf(q.random, []string{
		f + "\x00/chat/b", "\x00" + f + "/#", q.side.slug + "/\x00/" + f, f + "\xff/#", "\xc0\xaf" + f + "/#", "\xed\xa0\x80/#", f + "/#/x", f + "/+x", "#/" + f,
	})
	q.note("%v garbles %q", spy, evil)
	m := q.mark(spy)
	if q.random.IntN(2) == 0 {
		codes, err := c.subscribe(packet.Subscription{Filter: evil, QoS: 1})
		if err == nil && codes[0] < 0x80 {
			q.war.violate("crossing", "%v is granted %q", spy, evil)
		}
	} else {
		_ = c.send(packet.Publish{Version: c.version, QoS: 1, PacketID: 1, Topic: []byte(evil), Payload: []byte(m.String())}.Append(nil))
		_ = c.ping() // answered, or the connection is closed
	}
	q.war.refuse("garbage")
}
