package war_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/broker/packet"
)

var cases = flag.Int("cases", 3000, "how many questions the access tester and the edge are asked")

// casesPerRules are asked with the same rules, as many to publish as to subscribe.
const casesPerRules = 50

// TestAgreement asks the access tester of the API and the edge the same, with
// random rules: SUBACK, PUBACK and what is delivered say what the tester says.
func TestAgreement(t *testing.T) {
	const courts = 4
	s := startServer(t)
	api := newCaller(s.api, 2*courts)
	org, err := found(t.Context(), api, slugA)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var left, allowed atomic.Int64
	left.Store(int64(*cases))
	var all sync.WaitGroup
	for i := range courts {
		c, err := newCourt(t, s, org, api, i)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for left.Add(-casesPerRules) > -casesPerRules && !t.Failed() {
				granted, err := c.sit(t.Context())
				if err != nil {
					t.Errorf("seed %d: %v", *seed, err)
				}
				allowed.Add(int64(granted))
			}
		})
	}
	all.Wait()
	t.Logf("seed %d: %d cases, %d of them allowed, in %v", *seed, *cases, allowed.Load(), time.Since(began).Round(time.Millisecond))
	if n := allowed.Load(); n < int64(*cases)/10 || n > int64(*cases)*9/10 {
		t.Errorf("%d of %d are allowed: the test says little", n, *cases)
	}
	if s.log.any() {
		t.Error(s.log)
	}
}

// court is an app whose rules change, with a device of each kind, and a device
// of another app of the organization that hears all.
type court struct {
	random  *rand.Rand
	org     *side
	api     *caller
	app     string
	mount   string
	rounds  int
	parties []*party
	witness *client

	mu    sync.Mutex // guards heard
	heard map[string]int
	news  chan struct{}
}

// party is a device that asks to do things, and what the tester is told of it.
type party struct {
	user, device, role string
	tags               []string
	client             *client
	acks               chan packet.Ack
}

func newCourt(t *testing.T, s *server, org *side, api *caller, number int) (*court, error) {
	t.Helper()
	c := &court{
		random: rand.New(rand.NewPCG(*seed, uint64(number))), org: org, api: org.member,
		app: fmt.Sprintf("court-%d", number), heard: map[string]int{}, news: make(chan struct{}, 1),
	}
	if err := org.createApp(t.Context(), api, c.app); err != nil {
		return nil, err
	}
	if number%4 == 3 {
		c.mount = org.slug + "/" + c.app + "/"
		if err := c.api.must(t.Context(), "PATCH", "/v1/apps/"+c.app, object{"settings": object{"mounted": true}}, nil); err != nil {
			return nil, err
		}
	}
	for _, p := range []*party{
		{user: "ana", device: "d1", role: "driver", tags: []string{"beta", "gold"}, client: &client{version: packet.V5}},
		{user: "bo", tags: []string{"gold"}, client: &client{version: packet.V311}},
		{user: "ana", client: &client{version: packet.V5}},
		{user: "*", device: "%", client: &client{version: packet.V311}},
	} {
		if err := c.invite(s, p); err != nil {
			return nil, err
		}
		t.Cleanup(p.client.drop)
		c.parties = append(c.parties, p)
	}
	return c, c.swear(t, s)
}

// invite connects a party.
func (c *court) invite(s *server, p *party) error {
	claims := jwt.MapClaims{"sub": p.user, "exp": time.Now().Add(time.Hour).Unix()}
	if p.device != "" {
		claims["device"] = p.device
	}
	if p.role != "" {
		claims["role"] = p.role
	}
	if len(p.tags) > 0 {
		claims["tags"] = p.tags
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["kid"] = c.org.kids[c.app]
	signed, err := token.SignedString([]byte(c.org.signing[c.app]))
	if err != nil {
		return err
	}
	id := p.device
	if id == "" {
		id = "any-" + p.user
	}
	p.acks = make(chan packet.Ack, casesPerRules)
	d := door{version: p.client.version, id: id, username: c.org.slug + "/" + c.app, password: signed, clean: true}
	client, ack, err := dial(s.mqtt, d, func(*packet.Publish) {}, func(a packet.Ack) { p.acks <- a })
	if err == nil && refused(ack) {
		err = fmt.Errorf("%s: refused: %v %v", id, ack.Code, ack.Reason)
	}
	p.client = client
	return err
}

// swear connects who hears everything of the organization.
func (c *court) swear(t *testing.T, s *server) error {
	t.Helper()
	token, err := c.org.token(t.Context(), chat, "witness", "wide")
	if err != nil {
		return err
	}
	d := door{version: packet.V5, id: "witness of " + c.app, username: c.org.slug + "/" + chat, password: token, clean: true}
	c.witness, _, err = dial(s.mqtt, d, c.hear, func(packet.Ack) {})
	if err != nil {
		return err
	}
	t.Cleanup(c.witness.drop)
	codes, err := c.witness.subscribe(packet.Subscription{Filter: c.org.slug + "/#", QoS: 1})
	if err == nil && codes[0] != 1 {
		err = fmt.Errorf("the witness is answered %#x", codes[0])
	}
	return err
}

// hear takes down what comes of this court.
func (c *court) hear(p *packet.Publish) {
	text := string(p.Payload)
	if !strings.HasPrefix(text, c.app+" ") {
		return
	}
	c.mu.Lock()
	c.heard[text+" "+string(p.Topic)]++
	c.mu.Unlock()
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// question is what somebody wants to do.
type question struct {
	action, said, full string
}

// sit makes rules, asks everything, and returns how much was allowed.
func (c *court) sit(ctx context.Context) (int, error) {
	c.rounds++
	p := pickOf(c.random, c.parties)
	rules, err := c.legislate(ctx, p)
	if err != nil {
		return 0, err
	}
	subscribes, publishes := c.questions("subscribe"), c.questions("publish")
	told := make([]bool, 0, casesPerRules)
	for _, q := range slices.Concat(subscribes, publishes) {
		yes, err := c.consult(ctx, p, q)
		if err != nil {
			return 0, err
		}
		told = append(told, yes)
	}
	did, err := c.subscribing(p, subscribes)
	if err != nil {
		return 0, err
	}
	published, err := c.publishing(p, publishes)
	if err != nil {
		return 0, err
	}
	did = append(did, published...)
	granted := 0
	for i, q := range slices.Concat(subscribes, publishes) {
		if told[i] != did[i] {
			return 0, fmt.Errorf("%s (%v, mounted %t) wants to %s %q: the tester says %t, the edge %t, by %s",
				p.user, p.client.version, c.mount != "", q.action, q.full, told[i], did[i], rules)
		}
		if told[i] {
			granted++
		}
	}
	return granted, nil
}

// legislate makes rules and waits until the edge knows them: the first of them
// lets everybody hear the number of the round.
func (c *court) legislate(ctx context.Context, p *party) (string, error) {
	proclamation := fmt.Sprintf("proclaimed/%d", c.rounds)
	rules := []object{{
		"effect": "allow", "action": "subscribe", "topic": "${org}/${app}/" + proclamation, "who": object{"everyone": true},
	}}
	for range c.random.IntN(6) {
		rules = append(rules, object{
			"effect": pickOf(c.random, []string{"allow", "allow", "deny"}), "action": pickOf(c.random, []string{"all", "publish", "subscribe"}),
			"topic": c.filter(true), "who": pickOf(c.random, []object{
				{"everyone": true}, {"everyone": true}, {"user": "ana"}, {"user": "bo"}, {"tag": "gold"}, {"tag": "beta"}, {"role": "driver"}, {"user": "*"},
			}),
		})
	}
	text, err := json.Marshal(rules)
	if err != nil {
		return "", err
	}
	if err := c.api.must(ctx, "PUT", "/v1/apps/"+c.app+"/acl", object{"rules": rules}, nil); err != nil {
		return "", err
	}
	filter := proclamation
	if c.mount == "" {
		filter = c.org.slug + "/" + c.app + "/" + filter
	}
	for end := time.Now().Add(patience); ; {
		codes, err := p.client.subscribe(packet.Subscription{Filter: filter})
		switch {
		case err != nil:
			return "", err
		case codes[0] == 0:
			return string(text), p.client.unsubscribe(filter)
		case time.Now().After(end):
			return "", fmt.Errorf("the edge does not learn of %s", text)
		}
	}
}

// consult asks the access tester.
func (c *court) consult(ctx context.Context, p *party, q question) (bool, error) {
	in := object{"user": p.user, "action": q.action, "topic": q.full}
	if p.device != "" {
		in["device"] = p.device
	}
	if p.role != "" {
		in["role"] = p.role
	}
	if len(p.tags) > 0 {
		in["tags"] = p.tags
	}
	body, err := json.Marshal(in)
	if err != nil {
		return false, err
	}
	a, err := c.api.do(ctx, http.MethodPost, "/v1/apps/"+c.app+"/acl/test", body)
	if err != nil {
		return false, err
	}
	var decision struct{ Allowed bool }
	if a.status != http.StatusOK || json.Unmarshal(a.body, &decision) != nil {
		return false, fmt.Errorf("%s: %d %s", body, a.status, a.body)
	}
	return decision.Allowed, nil
}

// subscribing asks the edge for all filters at once.
func (c *court) subscribing(p *party, questions []question) (did []bool, err error) {
	var subs []packet.Subscription
	var filters []string
	for _, q := range questions {
		subs = append(subs, packet.Subscription{Filter: q.said, QoS: byte(c.random.IntN(3)), RetainHandling: 2})
		filters = append(filters, q.said)
	}
	if p.client.version != packet.V5 {
		for i := range subs {
			subs[i].RetainHandling = 0
		}
	}
	codes, err := p.client.subscribe(subs...)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %q: %w", filters, err)
	}
	for i, code := range codes {
		if code >= 0x80 && code != byte(packet.NotAuthorizedV5) && p.client.version == packet.V5 {
			return nil, fmt.Errorf("subscribe to %q: %#x", filters[i], code)
		}
		did = append(did, code < 0x80)
	}
	return did, p.client.unsubscribe(filters...)
}

// publishing publishes to all topics at once, and says what was delivered. What
// MQTT 5.0 is answered has to be the same.
func (c *court) publishing(p *party, questions []question) (did []bool, err error) {
	ids := map[uint16]int{}
	for i, q := range questions {
		id := p.client.nextID()
		ids[id] = i
		m := packet.Publish{
			Version: p.client.version, QoS: 1 + byte(c.random.IntN(2)), PacketID: id, Topic: []byte(q.said),
			Payload: fmt.Appendf(nil, "%s %d", c.app, c.rounds),
		}
		if err := p.client.send(m.Append(nil)); err != nil {
			return nil, err
		}
	}
	codes := make([]packet.ReasonCode, len(questions))
	for range questions {
		select {
		case a := <-p.acks:
			codes[ids[a.PacketID]] = a.Reason
		case <-p.client.gone:
			return nil, errClosed
		case <-time.After(patience):
			return nil, fmt.Errorf("not all of %v are acknowledged", questions)
		}
	}
	heard, err := c.fence()
	if err != nil {
		return nil, err
	}
	for i, q := range questions {
		did = append(did, heard[fmt.Sprintf("%s %d %s", c.app, c.rounds, q.full)] > 0)
		refused := codes[i] == packet.NotAuthorizedV5
		if p.client.version == packet.V5 && (refused == did[i] || !refused && codes[i] >= 0x80) {
			return nil, fmt.Errorf("publish to %q: answered %v, delivered %t", q.full, codes[i], did[i])
		}
	}
	return did, nil
}

// fence waits for a message that comes after everything that was acknowledged,
// and returns what was heard up to it.
func (c *court) fence() (map[string]int, error) {
	text, topic := fmt.Sprintf("%s fence %d", c.app, c.rounds), c.org.slug+"/chat/fence"
	m := packet.Publish{Version: packet.V5, QoS: 1, PacketID: c.witness.nextID(), Topic: []byte(topic), Payload: []byte(text)}
	if err := c.witness.send(m.Append(nil)); err != nil {
		return nil, err
	}
	late := time.After(patience)
	for {
		c.mu.Lock()
		if heard := c.heard; heard[text+" "+topic] > 0 {
			c.heard = map[string]int{}
			c.mu.Unlock()
			return heard, nil
		}
		c.mu.Unlock()
		select {
		case <-c.news:
		case <-late:
			return nil, fmt.Errorf("%s is not heard", text)
		}
	}
}

// levels are few, so that rules and questions meet; some mean something to
// what is behind MQTT.
var levels = []string{"users", "topics", "devices", "tags", "broadcast", "ana", "bo", "d1", "gold", "up", "room", "room", "", "*", ">", "%", "a.b", "z", "$x"}

// filter is a random one: of a rule, in which there may be placeholders, or to
// subscribe to.
func (c *court) filter(rule bool) string {
	levels := levels
	path := []string{c.org.slug, c.app}
	if rule {
		levels = slices.Concat(levels, []string{"${user}", "${device}", "${app}", "${user}", "${device}"})
		path = pickOf(c.random, [][]string{{c.org.slug, c.app}, {"${org}", "${app}"}, {c.org.slug, "+"}, {"${org}"}})
	} else if c.random.IntN(8) == 0 {
		path = pickOf(c.random, [][]string{{c.org.slug}, {c.org.slug, "+"}, {slugB, c.app}, {"+", c.app}, {}, {c.org.slug, chat}, {"$SYS"}})
	}
	path = slices.Clone(path)
	for range c.random.IntN(4) {
		if c.random.IntN(5) == 0 {
			path = append(path, "+")
		} else {
			path = append(path, pickOf(c.random, levels))
		}
	}
	if len(path) < 2 || c.random.IntN(3) == 0 {
		path = append(path, "#")
	}
	return strings.Join(path, "/")
}

// questions are half of the cases of a round. No two are the same.
func (c *court) questions(action string) (list []question) {
	seen := map[string]bool{}
	for len(list) < casesPerRules/2 {
		full := c.filter(false)
		if action == "publish" {
			full = strings.NewReplacer("+", "room", "#", "z").Replace(full)
		}
		said, ok := full, true
		if c.mount != "" {
			said, ok = strings.CutPrefix(full, c.mount)
		}
		if !ok || said == "" || seen[full] {
			continue
		}
		seen[full] = true
		prefix := ""
		if action == "subscribe" && c.random.IntN(4) == 0 {
			prefix = pickOf(c.random, []string{"$share/g/", "$queue/", "$local/", "$share/acme/"})
		}
		list = append(list, question{action, prefix + said, prefix + full})
	}
	return list
}
