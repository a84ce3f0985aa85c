package conformance_test

import "time"

// jwt is CONNECT with the authentication method JWT; an empty token leaves
// Authentication Data out.
func (r *run) jwt(token string) connect {
	in := r.fresh()
	in.noPassword = true
	in.props = list(text(pAuthMethod, "JWT"))
	if token != "" {
		in.props = append(in.props, text(pAuthData, token))
	}
	return in
}

// answer is an AUTH with a token.
func answer(code byte, token string) []byte {
	return auth(code, text(pAuthMethod, "JWT"), text(pAuthData, token))
}

// authRules are about enhanced authentication: section 4.12.
var authRules = []rule{
	{v5: "MQTT-4.12.0-5", name: "the token comes with CONNECT", fanfare: true, run: func(r *run) {
		c := r.connect(r.jwt(r.target.password))
		is(r, "Authentication Method", value(c.connack.props, pAuthMethod), "JWT")
		is(r, "SUBACK", c.sub(r.topic("a"), 1), 1)
	}},
	{v5: "MQTT-4.12.0-2", name: "the server asks for the token", fanfare: true, run: func(r *run) {
		c := r.asked()
		c.send(answer(0x18, r.target.password))
		p := c.expect(tCONNACK)
		is(r, "code", p.code, 0)
		is(r, "Authentication Method", value(p.props, pAuthMethod), "JWT")
		c.ping()
	}},
	{v5: "MQTT-4.12.0-4", name: "a wrong token, when asked", fanfare: true, run: func(r *run) {
		c := r.asked()
		c.send(answer(0x18, "wrong"))
		c.closed(0x86, 0x87)
	}},
	{v5: "MQTT-4.12.0-4", name: "a wrong token with CONNECT", fanfare: true, run: func(r *run) {
		if code := r.refused(r.jwt("wrong")).code; code != 0x86 && code != 0x87 {
			r.Errorf("code %#x", code)
		}
	}},
	{v5: "MQTT-4.12.0-1", name: "a method that is not supported", run: func(r *run) {
		in := r.fresh()
		in.props = list(text(pAuthMethod, "SCRAM-SHA-1"), text(pAuthData, "n,,n=user"))
		is(r, "code", r.refused(in).code, 0x8c)
	}},
	{v5: "MQTT-4.12.0-3", name: "AUTH of another method", fanfare: true, run: func(r *run) {
		c := r.asked()
		c.send(auth(0x18, text(pAuthMethod, "other"), text(pAuthData, r.target.password)))
		c.dropped()
	}},
	{v5: "MQTT-3.1.2-30", name: "a PUBLISH instead of AUTH", fanfare: true, run: func(r *run) {
		c := r.asked()
		c.send(publish{topic: r.topic("a")}.encode(v5))
		c.dropped()
	}},
	{v5: "MQTT-3.15.2-1", name: "AUTH 0x19 before CONNACK", fanfare: true, run: func(r *run) {
		c := r.asked()
		c.send(answer(0x19, r.target.password))
		c.dropped()
	}},
	{v5: "MQTT-3.1.2-30", name: "DISCONNECT instead of AUTH", fanfare: true, run: func(r *run) {
		c := r.asked()
		c.send(disconnect(v5, 0))
		c.closed()
	}},
}

// asked is a client that the server has sent AUTH 0x18.
func (r *run) asked() *client {
	r.Helper()
	c := r.dial()
	c.send(r.hello(r.jwt("")).encode())
	p := c.expect(tAUTH)
	is(r, "code", p.code, 0x18)
	is(r, "Authentication Method", value(p.props, pAuthMethod), "JWT")
	return c
}

// reauthRules are about re-authentication: section 4.12.1.
var reauthRules = []rule{
	{v5: "MQTT-4.12.1-1", name: "another token of the same user", fanfare: true, run: func(r *run) {
		c := r.connect(r.jwt(r.target.password))
		c.send(answer(0x19, r.tokenOf("ana", time.Hour)))
		p := c.expect(tAUTH)
		is(r, "code", p.code, 0)
		is(r, "Authentication Method", value(p.props, pAuthMethod), "JWT")
		c.ping()
	}},
	{v5: "4.12.1", name: "the connection outlives its first token", fanfare: true, run: func(r *run) {
		c := r.connect(r.jwt(r.tokenOf("ana", 2*time.Second)))
		c.send(answer(0x19, r.tokenOf("ana", time.Hour)))
		is(r, "code", c.expect(tAUTH).code, 0)
		r.until(4000)
		c.ping()
	}},
	{v311: "5.4", v5: "5.4", name: "the connection ends with its token", fanfare: true, run: func(r *run) {
		in := r.fresh()
		in.password = r.tokenOf("ana", 2*time.Second)
		r.connect(in).closedWithin(45*time.Second, 0x87)
	}},
	{v5: "MQTT-4.12.1-2", name: "another user's token", fanfare: true, run: reauth(func(r *run) string { return r.tokenOf("bob", time.Hour) }, 0x87)},
	{v5: "MQTT-4.12.1-2", name: "a wrong token", fanfare: true, run: reauth(func(*run) string { return "wrong" }, 0x86, 0x87)},
	{v5: "MQTT-4.12.1-2", name: "another method", fanfare: true, run: func(r *run) {
		c := r.connect(r.jwt(r.target.password))
		c.send(auth(0x19, text(pAuthMethod, "other"), text(pAuthData, r.target.password)))
		c.closed(0x82, 0x8c, 0x87)
	}},
	{v5: "MQTT-3.15.2-1", name: "AUTH 0x18 that nobody asked for", fanfare: true, run: func(r *run) {
		c := r.connect(r.jwt(r.target.password))
		c.send(answer(0x18, r.target.password))
		c.closed(0x82)
	}},
	{v5: "4.12.1", name: "messages flow meanwhile", fanfare: true, run: func(r *run) {
		c := r.connect(r.jwt(r.target.password))
		c.send(answer(0x19, r.tokenOf("ana", time.Hour)), publish{topic: r.topic("a"), qos: 1, id: 1}.encode(v5), pingreq())
		seen := map[byte]bool{}
		for range 3 {
			seen[c.next2(r)] = true
		}
		is(r, "AUTH, PUBACK and PINGRESP", seen[tAUTH] && seen[tPUBACK] && seen[tPINGRESP], true)
	}},
}

func reauth(token func(r *run) string, codes ...byte) func(r *run) {
	return func(r *run) {
		c := r.connect(r.jwt(r.target.password))
		c.send(answer(0x19, token(r)))
		c.closed(codes...)
	}
}
