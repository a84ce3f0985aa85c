package sim

import (
	"fmt"
	"strings"

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
