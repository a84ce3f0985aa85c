package sim

import (
	"fmt"
	"strings"

	"github.com/fanfare-mq/fanfare/broker/liveness"
	"github.com/fanfare-mq/fanfare/broker/ownership"
	"github.com/fanfare-mq/fanfare/broker/session"
)

// showEffect is an effect in a trace.
func showEffect(e *session.Effect) string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	if e.PacketID != 0 {
		fmt.Fprintf(&b, " id %d", e.PacketID)
	}
	if e.Message != nil {
		fmt.Fprintf(&b, " %s qos %d", e.Message.Topic, e.Message.QoS)
		if len(e.Message.Payload) == 4 {
			fmt.Fprintf(&b, " m%d", numberOf(e.Message.Payload))
		}
	}
	if len(e.Filters) > 0 {
		fmt.Fprintf(&b, " %s", strings.Join(e.Filters, " "))
	}
	if e.Kind == session.Read {
		fmt.Fprintf(&b, " after %d %s", e.Query.After, strings.Join(e.Query.Filters, " "))
	}
	if len(e.Seqs) > 0 {
		fmt.Fprintf(&b, " %v", e.Seqs)
	}
	if r := e.Record; r != nil {
		fmt.Fprintf(&b, " floor %d %v inflight %v received %v publishing %d", r.Floor, r.Acked, r.Inflight, r.Received, len(r.Publishing))
	}
	if e.Reason.Name != "" {
		fmt.Fprintf(&b, " %s %s", e.Reason.Name, e.Reason.Text)
	}
	return b.String()
}

// showOwnership is an effect of a table in a trace.
func showOwnership(e *ownership.Effect) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Kind, e.Key)
	if e.Seat != nil {
		fmt.Fprintf(&b, " %s", seated(e).link.client.name)
	}
	if e.Instance != "" {
		fmt.Fprintf(&b, " of %s", e.Instance)
	}
	if e.Epoch != 0 {
		fmt.Fprintf(&b, " epoch %d", e.Epoch)
	}
	if e.Kind == ownership.Save || e.Kind == ownership.Erase {
		fmt.Fprintf(&b, " over %d", e.Revision)
	}
	if r := e.Record; r != nil {
		fmt.Fprintf(&b, " owner %s epoch %d floor %d", r.Owner, r.Epoch, r.Floor)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// showLiveness is an effect of an estate in a trace.
func showLiveness(e *liveness.Effect) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", e.Kind, e.Instance, e.Key)
	if e.Message != nil {
		fmt.Fprintf(&b, "m%d qos %d", numberOf(e.Message.Payload), e.Message.QoS)
	}
	if e.Lease.Instance != "" {
		fmt.Fprintf(&b, " %s", e.Lease.Instance)
	}
	return b.String()
}
