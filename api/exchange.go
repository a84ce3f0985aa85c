package api

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// exchange is what becomes known of one request on its way through the
// layers. It belongs to the request's goroutine.
type exchange struct {
	id      string
	client  client
	address string       // the client's, as far as limits are concerned
	agent   string       // what the client calls itself
	route   string       // the operation's path template
	caller  *auth.Caller // nil without credentials
	code    fault.Code   // of the problem that was answered, or empty
	err     error        // behind the problem, for the log
	// operation says that the operation is one of the operator's: it is about the
	// installation, not about the caller's organization.
	operation bool
}

type exchangeKey struct{}

// exchangeOf returns the request's exchange; observe has put it there.
func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{}
}

// maxAgent is how much is kept of what a client calls itself, in bytes.
const maxAgent = 256

// agentOf is what the client calls itself, as text that a database takes.
func agentOf(r *http.Request) string {
	return cut(strings.ToValidUTF8(r.UserAgent(), "\uFFFD"), maxAgent)
}

// callerOf returns who calls. It is only for operations that want credentials.
func callerOf(ctx context.Context) *auth.Caller { return exchangeOf(ctx).caller }

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestIDOf takes the client's request id if it cannot disturb a log line.
func requestIDOf(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); requestID.MatchString(id) {
		return id
	}
	return tenant.NewID("req")
}
