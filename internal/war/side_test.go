package war_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// The organizations. Each slug but the shortest begins with another one, so
// that a wall that forgets its slash has holes.
const (
	slugA   = "acme"
	slugB   = "acme-evil"
	slugC   = "acm" // looks on
	chat    = "chat"
	stock   = "stock" // mounted: bare topics
	paper   = "paper" // no device of it: its settings and credentials may change at any time
	secrets = "correct horse battery of "
)

type object = map[string]any

// side is an organization with what it has in hand.
type side struct {
	slug   string
	member *caller
	// keys are API keys by their apps, kids and signing secrets the same.
	keys          map[string]*caller
	kids, signing map[string]string
	only          string // an app that no other organization has
	told          string // what the API said when all this was made

	mu  sync.Mutex // guards ids
	ids []string   // made by the server, and nobody else's
}

func (s *side) apps() []string { return slices.Sorted(maps.Keys(s.keys)) }

// found signs an organization up, with its apps and their rules.
func found(ctx context.Context, api *caller, slug string) (*side, error) {
	s := &side{
		slug: slug, only: "only-" + slug,
		keys: map[string]*caller{}, kids: map[string]string{}, signing: map[string]string{},
	}
	var member struct{ Token string }
	err := api.must(ctx, "POST", "/v1/signup", object{
		"organization": slug, "email": "owner@" + slug + ".example", "password": secrets + slug,
	}, &member)
	if err != nil {
		return nil, err
	}
	s.member = api.with(member.Token)
	for _, app := range []string{chat, stock, paper, s.only} {
		if err := s.createApp(ctx, api, app); err != nil {
			return nil, err
		}
	}
	if err := s.member.must(ctx, "PATCH", "/v1/apps/"+stock, object{"settings": object{"mounted": true}}, nil); err != nil {
		return nil, err
	}
	return s, s.createLogin(ctx, chat, "meter")
}

func (s *side) createApp(ctx context.Context, api *caller, app string) error {
	var made struct {
		APIKey     struct{ Secret string }      `json:"api_key"`
		SigningKey struct{ Kid, Secret string } `json:"signing_key"`
	}
	var told json.RawMessage
	if err := s.member.must(ctx, "POST", "/v1/apps", object{"id": app, "name": app + " of " + s.slug}, &told); err != nil {
		return err
	}
	if err := json.Unmarshal(told, &made); err != nil {
		return err
	}
	s.told += string(told)
	s.keys[app], s.kids[app], s.signing[app] = api.with(made.APIKey.Secret), made.SigningKey.Kid, made.SigningKey.Secret
	// Who is wide may do everything in the whole organization.
	return s.member.must(ctx, "PUT", "/v1/apps/"+app+"/acl", object{"rules": []object{
		{"effect": "allow", "action": "all", "topic": "${org}/#", "who": object{"tag": "wide"}},
		{"effect": "allow", "action": "all", "topic": "${org}/${app}/own/${user}/#", "who": object{"everyone": true}},
	}}, nil)
}

func (s *side) createLogin(ctx context.Context, app, name string) error {
	return s.member.must(ctx, "POST", "/v1/apps/"+app+"/logins", object{
		"username": name, "password": s.loginPassword(), "user": name, "tags": []string{"wide"},
	}, nil)
}

func (s *side) loginPassword() string { return secrets + "the meters of " + s.slug }

// token is a device token of a user.
func (s *side) token(ctx context.Context, app, user string, tags ...string) (string, error) {
	var issued struct{ Token string }
	in := object{"user": user, "ttl_seconds": 86_400}
	if len(tags) > 0 {
		in["tags"] = tags
	}
	if err := s.keys[app].must(ctx, "POST", "/v1/apps/"+app+"/tokens", in, &issued); err != nil {
		return "", fmt.Errorf("a token of %s/%s: %w", s.slug, app, err)
	}
	return issued.Token, nil
}

// snapshot is what must be the same after the war: whatever is not of the app
// whose papers change.
func (s *side) snapshot(ctx context.Context) (string, error) {
	state := ""
	for _, app := range []string{chat, stock, s.only} {
		for _, part := range []string{"", "/acl", "/logins"} {
			a, err := s.member.do(ctx, "GET", "/v1/apps/"+app+part, nil)
			if err != nil || a.status != 200 {
				return "", fmt.Errorf("%s of %s: %d %w", part, app, a.status, err)
			}
			state += string(a.body)
		}
	}
	return state, nil
}
