package cli_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// felt is how soon a change has to reach a live connection of another node.
const felt = 5 * time.Second

// remove deletes something of the app.
func (p party) remove(t *testing.T, path string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, p.places["API"]+"/v1/apps/chat"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.app.APIKey.Secret)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Fatalf("DELETE %s: %s", path, answer.Status)
	}
}

// TestChangesReachLiveConnections: a rule or a login is taken away at one node,
// and connections at the other feel it, these alone.
func TestChangesReachLiveConnections(t *testing.T) {
	t.Parallel()
	args := clustered(t)
	one, two := serve(t, args("one")...), serve(t, args("two")...)
	here := found(t, one, "acme")
	there := here.at(two)
	key := one.api.With(here.app.APIKey.Secret)
	var ignored json.RawMessage
	for _, name := range []string{"meter", "other"} {
		in := spec.NewLogin{Username: name, Password: "correct horse", User: "ana"}
		if err := key.Post(t.Context(), "/v1/apps/chat/logins", in, &ignored); err != nil {
			t.Fatal(err)
		}
	}
	everyone := spec.Who{Everyone: client.Optional(spec.WhoEveryone(true))}
	room := spec.Rule{Effect: "allow", Action: "all", Topic: "acme/chat/room/#", Who: everyone}
	if _, err := key.SetACL(t.Context(), "chat", spec.ACL{Rules: []spec.Rule{room}}); err != nil {
		t.Fatal(err)
	}
	listener, speaker := there.user(t, "listener", "ana"), there.user(t, "speaker", "bo")
	meter := there.enter(t, "meter", "acme/chat/meter", "correct horse")
	other := there.enter(t, "other", "acme/chat/other", "correct horse")
	if err := listener.Subscribe(t.Context(), "acme/chat/room/1", 1); err != nil {
		t.Fatal(err)
	}

	t.Run("a rule", func(t *testing.T) {
		if _, err := key.SetACL(t.Context(), "chat", spec.ACL{Rules: []spec.Rule{}}); err != nil {
			t.Fatal(err)
		}
		denied := func() bool { return speaker.Subscribe(t.Context(), "acme/chat/room/2", 1) != nil }
		testenv.Eventually(t, felt, "the rule's end is felt", denied)
		// What is said in the room is sent before the push, which still comes.
		hears := func() (heard bool) {
			said := spec.PublishRequest{Topic: "acme/chat/room/1", Payload: "to nobody", QoS: client.Optional(spec.QoS(1))}
			if err := key.Post(t.Context(), "/v1/apps/chat/publish", said, &ignored); err != nil {
				t.Fatal(err)
			}
			for accepted := here.push(t, "ana", "still there"); ; {
				m := listener.next(t)
				if m.Topic == accepted.Topic {
					return heard
				}
				heard = true
			}
		}
		testenv.Eventually(t, felt, "the subscription ends", func() bool { return !hears() })
		if hears() {
			t.Error("the subscription has ended and goes on")
		}
	})
	t.Run("a login", func(t *testing.T) {
		here.remove(t, "/logins/meter")
		select {
		case <-meter.lost:
		case <-time.After(felt):
			t.Error("its connection stands")
		}
	})
	for _, ph := range []*phone{listener, speaker, other} {
		select {
		case err := <-ph.lost:
			t.Errorf("somebody else's connection is lost: %v", err)
		default:
		}
	}
	if err := other.Subscribe(t.Context(), "acme/chat/users/ana", 1); err != nil {
		t.Errorf("another login: %v", err)
	}
}
