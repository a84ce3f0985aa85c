package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// startFanfare starts this server as anybody gets it: default configuration,
// one node, embedded log and store. Its clients are authenticated by token.
func startFanfare(ctx context.Context, cfg Config, dir string) (target, *process, error) {
	mqtt, err := freeAddress(ctx)
	if err != nil {
		return target{}, nil, err
	}
	api, err := freeAddress(ctx)
	if err != nil {
		return target{}, nil, err
	}
	cmd := exec.Command(cfg.Binary, "serve") //nolint:gosec,noctx // our own executable; it is stopped by a signal, not by ctx
	cmd.Env = append(os.Environ(),
		"FANFARE_DATA="+filepath.Join(dir, "fanfare"), "FANFARE_HTTP_ADDR="+api, "FANFARE_MQTT_ADDR="+mqtt,
		"FANFARE_WS_ADDR=", "FANFARE_METRICS_ADDR=", "FANFARE_LOG_LEVEL=error")
	p, err := launch(ctx, cmd, mqtt)
	if err != nil {
		return target{}, p, err
	}
	token, err := enroll(ctx, "http://"+api)
	if err != nil {
		return target{}, p, fmt.Errorf("sign up for the benchmark: %w", err)
	}
	t := target{
		name: "fanfare", about: "this build; JWT clients, access rules, QoS 1 in the log on disk before PUBACK",
		addr: mqtt, username: "bench/load", password: token, prefix: "bench/load/", pid: p.cmd.Process.Pid,
	}
	return t, p, nil
}

// enroll signs up an organization and an app, lets everyone publish and
// subscribe in it, and returns a device token.
func enroll(ctx context.Context, api string) (string, error) {
	var member struct {
		Token string `json:"token"`
	}
	err := call(ctx, "POST", api+"/v1/signup", "", map[string]any{
		"organization": "bench", "email": "bench@example.com", "password": "fan out and fare well",
	}, &member)
	if err != nil {
		return "", err
	}
	var app struct {
		APIKey struct {
			Secret string `json:"secret"`
		} `json:"api_key"`
	}
	if err := call(ctx, "POST", api+"/v1/apps", member.Token, map[string]any{"id": "load", "name": "Load"}, &app); err != nil {
		return "", err
	}
	rules := []map[string]any{{
		"effect": "allow", "action": "all", "topic": "bench/load/#", "who": map[string]any{"everyone": true},
	}}
	if err := call(ctx, "PUT", api+"/v1/apps/load/acl", member.Token, map[string]any{"rules": rules}, nil); err != nil {
		return "", err
	}
	var device struct {
		Token string `json:"token"`
	}
	err = call(ctx, "POST", api+"/v1/apps/load/tokens", app.APIKey.Secret, map[string]any{"user": "bench", "ttl_seconds": 86_400}, &device)
	return device.Token, err
}

// call sends JSON and decodes the answer into out, unless that is nil.
func call(ctx context.Context, method, url, bearer string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
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
