package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// socketName is the Unix socket, in the cluster's folder, that takes commands.
const socketName = "ctl.sock"

// Status is one part as people see it.
type Status struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Serve string `json:"serve"`
	Log   string `json:"log"`
}

// Verbs are what can be done to a part, with what they mean.
var Verbs = []struct{ Name, Meaning string }{
	{"kill", "end it at once, as kill -9 does"},
	{"stop", "ask it to end, and wait"},
	{"start", "start it again, and wait until it is ready"},
	{"restart", "stop and start"},
	{"pause", "stop it without ending it, as a machine that hangs"},
	{"resume", "let it go on"},
}

// Do does something to a part, or to all of a kind: "nats" means nats-1 to
// nats-3.
func (c *Cluster) Do(ctx context.Context, verb, name string) error {
	parts := c.those(name)
	if p := c.Part(name); p != nil {
		parts = []*Part{p}
	}
	if len(parts) == 0 {
		return fmt.Errorf("no part is named %q", name)
	}
	errs := make([]error, len(parts))
	done := make(chan struct{})
	for i, p := range parts {
		go func() {
			errs[i] = p.do(ctx, verb)
			done <- struct{}{}
		}()
	}
	for range parts {
		<-done
	}
	return errors.Join(errs...)
}

func (p *Part) do(ctx context.Context, verb string) error {
	switch verb {
	case "kill":
		return p.Kill()
	case "stop":
		return p.Stop()
	case "start":
		return p.Start(ctx)
	case "restart":
		return p.Restart(ctx)
	case "pause":
		return p.Pause()
	case "resume":
		return p.Resume()
	default:
		return fmt.Errorf("%q is nothing that can be done to a part", verb)
	}
}

// Status lists all parts.
func (c *Cluster) Status() []Status {
	all := make([]Status, len(c.parts))
	for i, p := range c.parts {
		all[i] = Status{Name: p.Name, State: p.State(), Serve: p.Serve, Log: p.Log()}
	}
	return all
}

// ServeControl takes commands on the folder's socket until ctx ends.
func (c *Cluster) ServeControl(ctx context.Context) error {
	path := filepath.Join(c.cfg.Dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(c.Status()) // a command that has left does not matter
	})
	mux.HandleFunc("POST /{verb}/{part}", func(w http.ResponseWriter, r *http.Request) {
		// Not the request's context: what was begun is ended.
		if err := c.Do(ctx, r.PathValue("verb"), r.PathValue("part")); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Control speaks to the cluster that runs in a folder.
type Control struct{ client *http.Client }

// Dial prepares to speak to the cluster in dir.
func Dial(dir string) *Control {
	path := filepath.Join(dir, socketName)
	return &Control{client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", path)
		},
	}}}
}

// Do is Cluster.Do from another process.
func (c *Control) Do(ctx context.Context, verb, part string) error {
	_, err := c.ask(ctx, http.MethodPost, "/"+verb+"/"+part)
	return err
}

// Status is Cluster.Status from another process.
func (c *Control) Status(ctx context.Context) (all []Status, err error) {
	data, err := c.ask(ctx, http.MethodGet, "/")
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(data, &all)
}

func (c *Control) ask(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://cluster"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no cluster runs here (make cluster starts one): %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(data)))
	}
	return data, err
}
