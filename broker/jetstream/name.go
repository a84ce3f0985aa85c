package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// holderSubject and an instance is where the holder of a name answers.
	holderSubject = "node.alive."
	// holderPatience is how long the former holder may take to answer. A node
	// that was killed has no subscription left, so that its successor knows at
	// once; the wait is for a machine that vanished without closing anything.
	holderPatience = 5 * time.Second
)

// claim is this process's hold on its node name: the entry of the NODES bucket
// names the instance that holds it.
type claim struct {
	kv       jetstream.KeyValue
	node     string
	instance string
	revision uint64
	alive    *nats.Subscription
}

// claimName takes the node's name, unless another live process has it.
func claimName(ctx context.Context, conn *nats.Conn, kv jetstream.KeyValue, node, instance string) (*claim, error) {
	c := &claim{kv: kv, node: node, instance: instance}
	var err error
	// Answer first: whoever reads our entry must be able to ask us.
	c.alive, err = conn.Subscribe(holderSubject+c.instance, func(m *nats.Msg) { _ = m.Respond([]byte(node)) })
	if err != nil {
		return nil, fmt.Errorf("jetstream: node name: %w", err)
	}
	if err := conn.FlushWithContext(ctx); err != nil {
		return nil, fmt.Errorf("jetstream: node name: %w", err)
	}
	if err := c.take(ctx, conn); err != nil {
		_ = c.alive.Unsubscribe()
		return nil, err
	}
	return c, nil
}

func (c *claim) take(ctx context.Context, conn *nats.Conn) error {
	entry, err := c.kv.Get(ctx, c.node)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		c.revision, err = c.kv.Create(ctx, c.node, []byte(c.instance))
	case err == nil && answers(ctx, conn, string(entry.Value())):
		return c.clash()
	case err == nil:
		c.revision, err = c.kv.Update(ctx, c.node, []byte(c.instance), entry.Revision())
	}
	if isConflict(err) {
		return c.clash() // another process of this name starts at this moment
	}
	if err != nil {
		return fmt.Errorf("jetstream: node name: %w", err)
	}
	return nil
}

func (c *claim) clash() error {
	return fmt.Errorf("jetstream: a live node is named %q already: give every node a name of its own", c.node)
}

// isConflict tells a lost compare-and-set from other errors.
func isConflict(err error) bool {
	if errors.Is(err, jetstream.ErrKeyExists) {
		return true
	}
	e := (*jetstream.APIError)(nil)
	return errors.As(err, &e) && (e.ErrorCode == errWrongLast || e.ErrorCode == errBusyLast)
}

// answers asks an instance whether it lives.
func answers(ctx context.Context, conn *nats.Conn, instance string) bool {
	ctx, cancel := context.WithTimeout(ctx, holderPatience)
	defer cancel()
	_, err := conn.RequestWithContext(ctx, holderSubject+instance, nil)
	return err == nil
}

// held fails if another process has taken the name, which it can when this one
// was cut off for long.
func (c *claim) held(ctx context.Context) error {
	entry, err := c.kv.Get(ctx, c.node)
	if err != nil {
		return fmt.Errorf("jetstream: node name: %w", err)
	}
	if string(entry.Value()) != c.instance {
		return fmt.Errorf("jetstream: another process took the node name %q while this one was cut off", c.node)
	}
	return nil
}

// release gives the name back, if it is still ours.
func (c *claim) release(ctx context.Context) error {
	if err := c.alive.Unsubscribe(); err != nil {
		return err
	}
	return c.kv.Delete(ctx, c.node, jetstream.LastRevision(c.revision))
}
