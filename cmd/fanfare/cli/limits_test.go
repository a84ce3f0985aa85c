package cli_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// set changes the app's settings, which are JSON.
func (p party) set(t *testing.T, settings string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, p.places["API"]+"/v1/apps/chat",
		bytes.NewReader([]byte(`{"settings":`+settings+`}`)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.app.APIKey.Secret)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("PATCH %s: %s", settings, answer.Status)
	}
}

// turnedAway tries to connect and reports whether the code of the CONNACK was that.
func (p party) turnedAway(t *testing.T, clientID, token string, code byte) bool {
	t.Helper()
	d, err := device.Connect(t.Context(), device.Options{
		URL: p.places["MQTT"], ClientID: clientID, Username: p.app.TopicPrefix, Token: token,
	})
	if err == nil {
		d.Close()
		return false
	}
	if no, ok := errors.AsType[*device.RefusedError](err); !ok || no.Code != code {
		t.Errorf("refused with %v", err)
	}
	return true
}

// TestLimitsOfTheCluster: two nodes that share Redis hold an app to one limit, and
// one that is lowered at the first is felt by connections of the second.
func TestLimitsOfTheCluster(t *testing.T) {
	t.Parallel()
	args, redis := clustered(t), testenv.Redis(t)
	start := func(node string) *server { return serve(t, append(args(node), "--redis-url", redis)...) }
	one, two := start("one"), start("two")
	here := found(t, one, "limited-"+strings.ToLower(rand.Text()))
	there := here.at(two)
	neighbour := found(t, two, "neighbour").user(t, "neighbour", "bo")
	here.set(t, `{"max_connections":4}`)
	token := here.token(t, "ana")
	var phones []*phone
	for i, at := range []party{here, there, here, there} {
		phones = append(phones, at.dial(t, fmt.Sprint("phone-", i), token))
	}
	for name, at := range map[string]party{"one": here, "two": there} {
		t.Run("node "+name+" is full", func(t *testing.T) {
			testenv.Eventually(t, felt, "the other's count is known", func() bool {
				return at.turnedAway(t, "one-more", token, 3)
			})
		})
	}
	t.Run("a lower limit", func(t *testing.T) {
		// The nodes end what is theirs of what is too much, so that one of four
		// falls to either of them by chance: two are one each.
		here.set(t, `{"max_connections":2}`)
		for _, ended := range phones[2:] {
			select {
			case <-ended.lost:
			case <-time.After(felt):
				t.Error("a newest connection stands")
			}
		}
		for _, ph := range append(phones[:2:2], neighbour) {
			if err := ph.Publish(t.Context(), here.app.TopicPrefix+"/users/ana/up/x", 0, "x"); err != nil {
				t.Errorf("another connection: %v", err)
			}
			select {
			case err := <-ph.lost:
				t.Errorf("another connection is lost: %v", err)
			default:
			}
		}
	})
	t.Run("a rate", func(t *testing.T) {
		here.set(t, `{"max_connections":0,"connect_rate":2}`)
		testenv.Eventually(t, felt, "the other node refuses", func() bool {
			for range 3 {
				if there.turnedAway(t, "again", token, 3) {
					return true
				}
			}
			return false
		})
	})
}
