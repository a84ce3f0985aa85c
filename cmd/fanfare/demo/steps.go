package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
)

// refusedCode is the SUBACK return code of a filter that is not granted.
const refusedCode = 0x80

// anas is what a device of user ana listens to.
const anas = "acme/chat/users/ana/#"

func (s *show) signUp(ctx context.Context) (err error) {
	if s.acme, err = s.found(ctx, "acme", "ana"); err != nil {
		return err
	}
	s.out.detail("organization acme, app chat: its topics begin with %s/", s.acme.app.TopicPrefix)
	s.out.detail("API key for the backend   %s…", s.acme.key[:12])
	s.out.detail("token for the user ana    %s…", s.acme.token[:12])
	s.out.seen("POST /v1/signup, /v1/apps and /v1/apps/chat/tokens answered 201")
	return nil
}

// found signs an organization up, with an app and a device token for a user.
func (s *show) found(ctx context.Context, org, user string) (party, error) {
	account, err := s.api.SignUp(ctx, spec.SignUp{
		Organization: org, Email: "owner@" + org + ".example", Password: rand.Text(),
	})
	if err != nil {
		return party{}, fmt.Errorf("sign-up: %w", err)
	}
	created, err := s.api.With(account.Value.Token).CreateApp(ctx, spec.NewApp{ID: "chat", Name: "Chat"})
	if err != nil {
		return party{}, fmt.Errorf("create app: %w", err)
	}
	app := created.Value
	key := app.APIKey.Secret
	token, err := s.api.With(key).IssueToken(ctx, app.ID, spec.TokenRequest{User: user})
	if err != nil {
		return party{}, fmt.Errorf("issue token: %w", err)
	}
	return party{app: app, key: key, token: token.Value.Token}, nil
}

func (s *show) connect(ctx context.Context) (err error) {
	s.phone, err = device.Connect(ctx, device.Options{
		URL: "tcp://" + s.server.MQTT, ClientID: "phone-1",
		Username: s.acme.app.TopicPrefix, Token: s.acme.token,
		Received: func(m device.Message) { s.arrived <- m },
		Lost:     func(err error) { s.lost <- err },
	})
	if err != nil {
		return err
	}
	s.out.seen("phone-1 is connected to tcp://%s (MQTT 3.1.1)", s.server.MQTT)
	if err := s.phone.Subscribe(ctx, anas, 1); err != nil {
		return err
	}
	s.out.seen("phone-1 listens to %s", anas)
	return nil
}

func (s *show) push(ctx context.Context) error {
	const title = "Hello, Ana"
	began := time.Now()
	accepted, err := s.send(ctx, title)
	if err != nil {
		return err
	}
	s.out.detail("POST /v1/apps/chat/push answered 202 after %v: safe in the log", since(began))
	took, err := s.expect(ctx, accepted, title, began)
	if err != nil {
		return err
	}
	s.out.seen("phone-1 received it %v after the request began", took)
	return nil
}

func (s *show) send(ctx context.Context, title string) (spec.Pushed, error) {
	notification, err := json.Marshal(map[string]string{"title": title, "body": "Somebody likes your photo."})
	if err != nil {
		return spec.Pushed{}, err
	}
	accepted, err := s.api.With(s.acme.key).Push(ctx, s.acme.app.ID, spec.PushRequest{
		To: spec.Target{User: client.Optional("ana")}, Notification: notification,
	})
	return accepted.Value, err
}

// expect waits for the next message at the phone, and checks that it is the
// accepted push and nothing else.
func (s *show) expect(ctx context.Context, accepted spec.Pushed, title string, began time.Time) (time.Duration, error) {
	select {
	case m := <-s.arrived:
		took := since(began)
		s.out.detail("%s  %s", m.Topic, m.Payload)
		var got struct{ ID, Title string }
		if err := json.Unmarshal(m.Payload, &got); err != nil || got.ID != accepted.ID || got.Title != title || m.Topic != accepted.Topic {
			return 0, fmt.Errorf("phone-1 received something else: %s %s", m.Topic, m.Payload)
		}
		return took, nil
	case err := <-s.lost:
		return 0, fmt.Errorf("phone-1 lost its connection: %w", err)
	case <-ctx.Done():
		return 0, errors.New("phone-1 received nothing")
	}
}

// stranger connects a device of globex.
func (s *show) stranger(ctx context.Context) (*device.Device, error) {
	return device.Connect(ctx, device.Options{
		URL: "tcp://" + s.server.MQTT, ClientID: "spy-1",
		Username: s.globex.app.TopicPrefix, Token: s.globex.token,
	})
}

func (s *show) eavesdrop(ctx context.Context) (err error) {
	if s.globex, err = s.found(ctx, "globex", "eve"); err != nil {
		return err
	}
	spy, err := s.stranger(ctx)
	if err != nil {
		return err
	}
	defer spy.Close()
	s.out.detail("spy-1 is connected as %s", s.globex.app.TopicPrefix)
	for _, filter := range []string{anas, "acme/#", "+/chat/#", "#"} {
		var refusal *device.RefusedError
		if err := spy.Subscribe(ctx, filter, 1); err == nil {
			return fmt.Errorf("spy-1 was allowed to listen to %s", filter)
		} else if !errors.As(err, &refusal) || refusal.Code != refusedCode {
			return err
		}
		s.out.seen("SUBACK 0x80: refused to listen to %s", filter)
	}
	return nil
}

// intrude proves an absence without waiting: what ana's phone receives next is
// a push that was sent after the stranger's message had been dealt with.
func (s *show) intrude(ctx context.Context) error {
	spy, err := s.stranger(ctx)
	if err != nil {
		return err
	}
	defer spy.Close()
	if err := spy.Publish(ctx, "acme/chat/users/ana/fake", 1, `{"title":"You won!"}`); err != nil {
		s.out.detail("the server ended spy-1's connection (%v)", err)
	}
	const title = "Still only real ones"
	began := time.Now()
	accepted, err := s.send(ctx, title)
	if err != nil {
		return err
	}
	if _, err := s.expect(ctx, accepted, title, began); err != nil {
		return err
	}
	s.out.seen("spy-1's message reached no one; the next push reached ana")
	return nil
}

func since(t time.Time) time.Duration { return time.Since(t).Round(10 * time.Microsecond) }
