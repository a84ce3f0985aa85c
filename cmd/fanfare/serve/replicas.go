package serve

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// What JetStream answers to more replicas than it has servers for.
const (
	errNoPeers      jetstream.ErrorCode = 10005 // in a cluster
	errNotClustered jetstream.ErrorCode = 10074 // by a server that is alone
)

// busFault says of a bus that cannot be opened what the operator can change.
func (p *process) busFault(err error) error {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	if ok && p.cfg.Replicas > 1 && (refusal.ErrorCode == errNoPeers || refusal.ErrorCode == errNotClustered) {
		return config.Wrong("NATSReplicas",
			"is %d: NATS has not as many servers with room for the message log; lower it, unset it, or add servers", p.cfg.Replicas)
	}
	return err
}
