// Package cluster runs a whole Fanfare on this machine as processes: three
// nodes behind HAProxy, three NATS servers, PostgreSQL and Redis, the topology
// of docker-compose.yml. Every part can be killed, stopped, paused and started
// again, by people (`make cluster`) and by tests.
package cluster

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Size is how many nodes and NATS servers there are: NATS needs three to
// survive the loss of one.
const Size = 3

// Config says what to run and where.
type Config struct {
	// Fanfare and NATS are the two programs that are built from this module.
	Fanfare, NATS string
	// HAProxy is the file deploy/haproxy.cfg; empty: no HAProxy.
	HAProxy string
	// Dir holds everything that the parts write, and what is there is used
	// again. PostgreSQL's account must be able to reach it.
	Dir string
	// Single runs one node and nothing else: what somebody has who starts the
	// program without any setting.
	Single bool
	// FreePorts takes ports that are free instead of those people know.
	FreePorts bool
	// Env is added to the nodes' environment.
	Env []string
}

// Cluster is the topology. Its parts may be used from several goroutines.
type Cluster struct {
	cfg     Config
	secrets secrets
	ports   ports
	parts   []*Part // in the order of starting
}

// secrets are made once for a folder.
type secrets struct {
	MasterKey string `json:"master_key"`
	Password  string `json:"password"` // of PostgreSQL
}

// New prepares the folder and the parts; it starts nothing.
func New(ctx context.Context, cfg Config) (*Cluster, error) {
	c := &Cluster{cfg: cfg}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil { //nolint:gosec // PostgreSQL's account passes through
		return nil, fmt.Errorf("the cluster's folder: %w", err)
	}
	if err := c.readSecrets(); err != nil {
		return nil, fmt.Errorf("the cluster's secrets: %w", err)
	}
	var err error
	if c.ports, err = choosePorts(ctx, cfg.FreePorts); err != nil {
		return nil, err
	}
	add := []func(context.Context) error{c.addPostgres, c.addRedis, c.addNATS, c.addNodes, c.addHAProxy}
	if cfg.Single {
		add = []func(context.Context) error{c.addSingle}
	}
	for _, prepare := range add {
		if err := prepare(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// readSecrets reads what an earlier run made, or makes it.
func (c *Cluster) readSecrets() error {
	path := filepath.Join(c.cfg.Dir, "secrets.json")
	data, err := os.ReadFile(path) //nolint:gosec // our own folder
	if err == nil {
		return json.Unmarshal(data, &c.secrets)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	c.secrets = secrets{MasterKey: base64.StdEncoding.EncodeToString(key), Password: rand.Text()}
	if data, err = json.Marshal(c.secrets); err != nil { //nolint:gosec // a file of ours alone, of a cluster for trying
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// add prepares one part with a folder of its own.
func (c *Cluster) add(p *Part) error {
	p.folder = filepath.Join(c.cfg.Dir, p.Name)
	if err := os.MkdirAll(p.folder, 0o700); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	if err := p.account.Own(p.folder); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	c.parts = append(c.parts, p)
	return nil
}

// Start starts every part, those of one kind together, and waits until all are
// ready. When one is not, the others are stopped again.
func (c *Cluster) Start(ctx context.Context) error {
	for _, kind := range [][]*Part{c.those("postgres", "redis", natsName), c.those(nodeName), c.those("haproxy")} {
		errs := make([]error, len(kind))
		var wg sync.WaitGroup
		for i, p := range kind {
			wg.Go(func() { errs[i] = p.Start(ctx) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return errors.Join(err, c.Stop())
		}
	}
	return nil
}

// Stop stops every part, those that need others first.
func (c *Cluster) Stop() error {
	var errs []error
	for _, kind := range [][]*Part{c.those("haproxy"), c.those(nodeName), c.those("postgres", "redis", natsName)} {
		ended := make([]error, len(kind))
		var wg sync.WaitGroup
		for i, p := range kind {
			wg.Go(func() { ended[i] = p.Stop() })
		}
		wg.Wait()
		errs = append(errs, ended...)
	}
	return errors.Join(errs...)
}

// those are the parts of some kinds: "nats" has nats-1, nats-2 and so on.
func (c *Cluster) those(kinds ...string) []*Part {
	var found []*Part
	for _, p := range c.parts {
		if slices.Contains(kinds, kindOf(p.Name)) {
			found = append(found, p)
		}
	}
	return found
}

// Parts lists all parts in the order of their start.
func (c *Cluster) Parts() []*Part { return slices.Clone(c.parts) }

// Part finds a part by its name, or returns nil.
func (c *Cluster) Part(name string) *Part {
	i := slices.IndexFunc(c.parts, func(p *Part) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return c.parts[i]
}

// Nodes is how many nodes there are.
func (c *Cluster) Nodes() int { return len(c.those(nodeName)) }
