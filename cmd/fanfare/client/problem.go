package client

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/fanfare-mq/fanfare/api/spec"
)

// Error is an error that the API explained (RFC 9457).
type Error struct{ spec.Problem }

// Error is the explanation, and one more line for each wrong field that it
// does not name itself.
func (p *Error) Error() string {
	var text strings.Builder
	text.WriteString(cmp.Or(p.Detail, p.Title))
	if p.Code != "" {
		fmt.Fprintf(&text, " (%s)", p.Code)
	}
	if p.Errors == nil {
		return text.String()
	}
	for _, f := range *p.Errors {
		if !strings.Contains(p.Detail, f.Detail) {
			fmt.Fprintf(&text, "\n  %s: %s", where(f), f.Detail)
		}
	}
	return text.String()
}

// where names the field of the body or the parameter.
func where(f spec.FieldFault) string {
	switch {
	case f.Pointer != nil:
		return strings.TrimPrefix(*f.Pointer, "/")
	case f.Parameter != nil:
		return *f.Parameter
	default:
		return "request"
	}
}

// problem reads the body of an answer that is not a success.
func problem(status int, body []byte) error {
	p := &Error{}
	if err := json.Unmarshal(body, &p.Problem); err != nil || p.Title+p.Detail == "" {
		p.Problem = spec.Problem{Title: fmt.Sprintf("the server answers %d %s", status, http.StatusText(status))}
	}
	p.Status = int32(status) //nolint:gosec // a status has three digits
	return p
}
