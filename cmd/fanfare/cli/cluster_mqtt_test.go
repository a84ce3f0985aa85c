package cli_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
)

// stock is a client library that nobody has taught anything about Fanfare.
type stock struct {
	mqtt.Client

	t       *testing.T
	arrived chan mqtt.Message
}

// stock connects; with clean false the session outlives the connection.
func (p party) stock(t *testing.T, clientID string, clean bool) *stock {
	t.Helper()
	s := &stock{t: t, arrived: make(chan mqtt.Message, 1000)}
	s.Client = mqtt.NewClient(mqtt.NewClientOptions().
		AddBroker(strings.Replace(p.places["MQTT"], "mqtt://", "tcp://", 1)).
		SetClientID(clientID).SetUsername(p.app.TopicPrefix).SetPassword(p.token(t, "ana")).
		SetProtocolVersion(4).SetCleanSession(clean).SetAutoReconnect(false).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { s.arrived <- m }))
	s.done(s.Connect())
	t.Cleanup(func() { s.Disconnect(0) })
	return s
}

// done waits for an answer.
func (s *stock) done(token mqtt.Token) {
	s.t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		s.t.Fatalf("no answer: %v", token.Error())
	}
}

func (s *stock) next() mqtt.Message {
	s.t.Helper()
	select {
	case m := <-s.arrived:
		return m
	case <-time.After(patience):
		s.t.Fatal("nothing arrived")
		return nil
	}
}

// What the nodes of a cluster keep and share out, to clients of either.
func TestClusterKeepsAndShares(t *testing.T) {
	t.Parallel()
	args := clustered(t)
	one, two := serve(t, args("one")...), serve(t, args("two")...)
	here := found(t, one, "acme")
	there := here.at(two)
	rules := spec.ACL{Rules: []spec.Rule{{
		Effect: "allow", Action: "all", Topic: "acme/chat/room/#", Who: spec.Who{Everyone: client.Optional(spec.WhoEveryone(true))},
	}}}
	if _, err := one.api.With(here.app.APIKey.Secret).SetACL(t.Context(), "chat", rules); err != nil {
		t.Fatal(err)
	}
	pub := here.stock(t, "publisher", true)

	t.Run("retained", func(t *testing.T) {
		pub.done(pub.Publish("acme/chat/room/kept", 1, true, "kept"))
		sub := there.stock(t, "late", true)
		sub.done(sub.Subscribe("acme/chat/room/+", 1, nil))
		if m := sub.next(); !m.Retained() || string(m.Payload()) != "kept" {
			t.Errorf("got %s %q", m.Topic(), m.Payload())
		}
	})
	t.Run("while away", func(t *testing.T) {
		sub := there.stock(t, "sleeper", false)
		sub.done(sub.Subscribe("acme/chat/room/night", 2, nil))
		sub.Disconnect(100)
		const n = 300
		for i := range n {
			pub.done(pub.Publish("acme/chat/room/night", byte(1+i%2), false, strconv.Itoa(i)))
		}
		sub = there.stock(t, "sleeper", false)
		for i := range n {
			if m := sub.next(); string(m.Payload()) != strconv.Itoa(i) {
				t.Fatalf("message %d is %q", i, m.Payload())
			}
		}
	})
	t.Run("share group", func(t *testing.T) {
		members := []*stock{here.stock(t, "worker-1", true), there.stock(t, "worker-2", true)}
		for _, m := range members {
			m.done(m.Subscribe("$share/g/acme/chat/room/work", 1, nil))
		}
		const n = 100
		for i := range n {
			pub.done(pub.Publish("acme/chat/room/work", byte(i%2), false, strconv.Itoa(i)))
		}
		seen := map[string]int{}
		for range n {
			select {
			case m := <-members[0].arrived:
				seen[string(m.Payload())]++
			case m := <-members[1].arrived:
				seen[string(m.Payload())]++
			case <-time.After(patience):
				t.Fatalf("%d of %d arrived", len(seen), n)
			}
		}
		if len(seen) != n {
			t.Errorf("some came twice: %s", fmt.Sprint(seen))
		}
	})
}
