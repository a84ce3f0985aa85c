package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/routers"
	"github.com/go-chi/chi/v5"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
	"github.com/fanfare-mq/fanfare/tenant"
)

// operationTimeout bounds every operation. It is longer than the patience of
// the parts behind it, so that their own answer comes first.
const operationTimeout = 30 * time.Second

// gate lets a request through to its operation once everything that
// openapi.yaml asks of it holds: first the credentials, so that a stranger
// costs and learns nothing, then the parameters, then the body.
func (a *API) gate(operations http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, params, err := a.description.find(r)
		if err != nil {
			a.failRouting(w, r, err)
			return
		}
		x := exchangeOf(r.Context())
		x.route, x.operation = op.path, op.operator
		if x.caller, err = a.authenticate(r, op); err != nil {
			a.fail(w, r, err)
			return
		}
		if x.caller != nil {
			a.deps.Tally.Request(x.caller.Organization)
		}
		if err := validateParameters(r, op, params); err != nil {
			a.fail(w, r, err)
			return
		}
		if op.body != nil {
			body, err := readBody(w, r, op)
			if err != nil {
				a.fail(w, r, err)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		w.Header().Set("Cache-Control", "no-store")
		ctx, cancel := context.WithTimeout(r.Context(), operationTimeout)
		defer cancel()
		operations.ServeHTTP(w, r.WithContext(ctx))
	})
}

// authenticate returns who calls, or nil if the operation does not care.
func (a *API) authenticate(r *http.Request, op *operation) (*auth.Caller, error) {
	if op.public {
		return nil, nil //nolint:nilnil // nobody, and nothing is wrong with it
	}
	scheme, bearer, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil, fault.New(fault.Unauthenticated, "send the header Authorization: Bearer <token>")
	}
	caller, err := a.deps.Callers.Authenticate(r.Context(), strings.TrimSpace(bearer), exchangeOf(r.Context()).client.addr)
	if err != nil {
		return nil, err
	}
	if err := admit(caller, op); err != nil {
		return nil, err
	}
	if op.scope != "" && !caller.Has(op.scope) {
		return nil, fault.Newf(fault.Forbidden, "these credentials lack the scope %q", op.scope)
	}
	if caller.Member != nil {
		return caller, a.admitMember(caller, op)
	}
	return caller, nil
}

// admit says whether an operation is there for callers of this kind at all.
func admit(caller *auth.Caller, op *operation) error {
	switch {
	case op.operator && !caller.Operator:
		return nothingHere()
	case caller.Key != nil && !op.keys:
		return fault.New(fault.Forbidden, "an API key cannot do this; a member of the organization can")
	case caller.Member != nil && !op.members:
		return fault.New(fault.Forbidden, "a member cannot do this; an API key can")
	case caller.Key == nil && caller.Member == nil && !op.masterKey:
		return fault.New(fault.Forbidden, "the operator cannot do this; a member of the organization can")
	}
	return nil
}

// stepUpWindow is how long a password that was given counts for operations that
// show or end credentials.
const stepUpWindow = 10 * time.Minute

// admitMember holds what an operation asks of members against the caller.
func (a *API) admitMember(caller *auth.Caller, op *operation) error {
	role := caller.Member.Role
	switch {
	case op.role == tenant.Owner && role != tenant.Owner:
		return fault.New(fault.Forbidden, "only an owner of the organization can do this")
	case op.role == tenant.Admin && role != tenant.Owner && role != tenant.Admin:
		return fault.New(fault.Forbidden, "only an owner or an admin of the organization can do this")
	case op.stepUp:
		return a.confirmed(caller)
	}
	return nil
}

// confirmed wants a member's password to have been given of late. API keys are
// nobody who could be asked.
func (a *API) confirmed(caller *auth.Caller) error {
	if caller.Member != nil && a.now().Sub(caller.Session.ConfirmedAt) > stepUpWindow {
		return fault.New(fault.StepUpRequired, "give your password again with POST /v1/me/confirm")
	}
	return nil
}

// failRouting answers a path or a method that the description does not have.
func (a *API) failRouting(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, routers.ErrMethodNotAllowed) {
		w.Header().Set("Allow", strings.Join(a.description.methods(r), ", "))
		a.fail(w, r, fault.Newf(fault.MethodNotAllowed, "the path has no method %s", cut(r.Method, 20)))
		return
	}
	a.fail(w, r, nothingHere())
}

func nothingHere() error { return fault.New(fault.NotFound, "there is nothing at this path") }

// methodNotAllowed answers a method that a page does not have, or that nobody
// has ever heard of.
func (a *API) methodNotAllowed(pages chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !pages.Match(chi.NewRouteContext(), http.MethodGet, r.URL.Path) {
			_, _, err := a.description.find(r)
			a.failRouting(w, r, err)
			return
		}
		w.Header().Set("Allow", http.MethodGet)
		a.fail(w, r, fault.Newf(fault.MethodNotAllowed, "the path has no method %s", cut(r.Method, 20)))
	}
}
