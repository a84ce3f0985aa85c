// Package enroll signs up what benchmarks and cluster tests need: an
// organization with an app in which every device may do everything.
package enroll

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// patience bounds one request.
const patience = 10 * time.Second

// Account is what an app's owner has in hand.
type Account struct {
	APIKey string
	// Token is what any client identifier of the user "device" may connect with.
	// The username is "org/app".
	Token string
}

// Device makes an organization and its app through the API, and returns the
// token of its account.
func Device(ctx context.Context, api, org, app string) (token string, err error) {
	account, err := App(ctx, api, org, app)
	return account.Token, err
}

// App makes an organization and its app through the API.
func App(ctx context.Context, api, org, app string) (Account, error) {
	var member struct {
		Token string `json:"token"`
	}
	err := call(ctx, "POST", api+"/v1/signup", "", map[string]any{
		"organization": org, "email": org + "@example.com", "password": "fan out and fare well",
	}, &member)
	if err != nil {
		return Account{}, err
	}
	var made struct {
		APIKey struct {
			Secret string `json:"secret"`
		} `json:"api_key"`
	}
	if err := call(ctx, "POST", api+"/v1/apps", member.Token, map[string]any{"id": app, "name": app}, &made); err != nil {
		return Account{}, err
	}
	rules := []map[string]any{{
		"effect": "allow", "action": "all", "topic": org + "/" + app + "/#", "who": map[string]any{"everyone": true},
	}}
	if err := call(ctx, "PUT", api+"/v1/apps/"+app+"/acl", member.Token, map[string]any{"rules": rules}, nil); err != nil {
		return Account{}, err
	}
	var device struct {
		Token string `json:"token"`
	}
	err = call(ctx, "POST", api+"/v1/apps/"+app+"/tokens", made.APIKey.Secret, map[string]any{"user": "device", "ttl_seconds": 86_400}, &device)
	return Account{APIKey: made.APIKey.Secret, Token: device.Token}, err
}

// call sends JSON and decodes the answer into out, unless that is nil.
func call(ctx context.Context, method, url, bearer string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", method, req.URL.Path, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// Limit changes an app's settings, by the names that they have in the API.
func Limit(ctx context.Context, api, key, app string, settings map[string]any) error {
	return call(ctx, "PATCH", api+"/v1/apps/"+app, key, map[string]any{"settings": settings}, nil)
}
