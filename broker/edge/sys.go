package edge

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/fanfare-mq/fanfare/broker"
	"github.com/fanfare-mq/fanfare/broker/session"
	"github.com/fanfare-mq/fanfare/broker/topic"
)

// sysRoot is the first level of the topics about the server itself.
const sysRoot = "$SYS"

// sysInterval is how often they are published.
const sysInterval = 10 * time.Second

// sys is what $SYS needs to remember.
type sys struct {
	started time.Time // set before anything runs
}

// publishSys tells the operator's subscribers how this node does. The topics
// are those that monitoring made for other brokers looks for. They go to this
// node's sessions only: each node has figures of its own.
func (e *Edge) publishSys(now time.Time) {
	if e.cfg.OperatorOrg == "" {
		return
	}
	for _, m := range e.sysMessages(now) {
		e.Deliver(m)
	}
}

func (e *Edge) sysMessages(now time.Time) []*broker.Message {
	s := e.stats
	figures := []struct{ name, value string }{
		{"version", "fanfare " + e.cfg.Version},
		{"node", e.cfg.Node},
		{"uptime", fmt.Sprintf("%d seconds", int64(now.Sub(e.sys.started).Seconds()))},
		{"clients/connected", whole(s.connections)},
		{"subscriptions/count", whole(s.subscriptions)},
		{"messages/received", whole(s.byType[3])},
		{"messages/sent", whole(s.sent)},
		{"bytes/received", whole(s.bytesIn)},
		{"bytes/sent", whole(s.bytesOut)},
	}
	if e.deps.RetainedCount != nil {
		figures = append(figures, struct{ name, value string }{"retained messages/count", strconv.Itoa(e.deps.RetainedCount())})
	}
	messages := make([]*broker.Message, 0, len(figures))
	for _, f := range figures {
		messages = append(messages, &broker.Message{
			Topic: sysRoot + "/broker/" + f.name, Payload: []byte(f.value), Retain: true, Node: e.cfg.Node,
		})
	}
	return messages
}

// whole is the value of a counter or gauge.
func whole(m prometheus.Metric) string {
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		return "0"
	}
	return strconv.FormatInt(int64(d.GetCounter().GetValue()+d.GetGauge().GetValue()), 10)
}

// sysCursor replays $SYS to a new subscriber, as its topics are retained.
type sysCursor struct{ messages []*broker.Message }

var _ broker.Cursor = (*sysCursor)(nil)

func (e *Edge) sysCursor(filter string, now time.Time) *sysCursor {
	c := &sysCursor{}
	for _, m := range e.sysMessages(now) {
		if topic.Match(filter, m.Topic) {
			c.messages = append(c.messages, m)
		}
	}
	return c
}

// Next implements broker.Cursor.
func (c *sysCursor) Next(_ int, fn func([]*broker.Message, bool, error)) { fn(c.messages, true, nil) }

// Close implements broker.Cursor.
func (c *sysCursor) Close() {}

// operator lets the operator's clients read $SYS, which is in nobody's
// organization.
type operator struct{ session.Authorizer }

// MaySubscribe implements session.Authorizer.
func (o operator) MaySubscribe(filter string) bool {
	return topic.Organization(filter) == sysRoot || o.Authorizer.MaySubscribe(filter)
}
