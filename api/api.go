// Package api is the HTTP API: a chi server generated from openapi.yaml, whose
// requests are authenticated, limited and validated as that file says before a
// handler sees them, and whose errors are RFC 9457 problems.
package api

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/meter"
	"github.com/fanfare-mq/fanfare/tally"
)

// API serves HTTP. It is safe for concurrent use and owns no goroutine.
type API struct {
	cfg  Config
	deps Deps
	log  *slog.Logger
	now  func() time.Time

	description *description
	signUps     *throttle // by client address
	logIns      *throttle // failures only, by client address and by account
	links       *throttle // by client address
	handler     http.Handler
}

var _ spec.StrictServerInterface = (*API)(nil)

// New builds the API. It starts nothing.
func New(cfg Config, deps Deps) (*API, error) {
	if !deps.complete() {
		return nil, errors.New("api: a dependency is missing")
	}
	cfg.PublicAdmin = cmp.Or(cfg.PublicAdmin, cfg.PublicHTTP)
	if cfg.Shards == nil {
		cfg.Shards = func() int { return 1 }
	}
	if cfg.Retention <= 0 {
		cfg.Retention = DefaultRetention
	}
	cfg.MaxRetention = cmp.Or(cfg.MaxRetention, cfg.Retention)
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Meter == nil {
		deps.Meter = meter.Local()
	}
	if deps.Tally == nil {
		deps.Tally = tally.New("")
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	described, err := describe(cfg.Surface)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	a := &API{
		cfg:         cfg,
		deps:        deps,
		log:         deps.Logger,
		now:         deps.Now,
		description: described,
		signUps:     newThrottle(deps.Now),
		logIns:      newThrottle(deps.Now),
		links:       newThrottle(deps.Now),
	}
	if a.handler, err = a.routes(); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return a, nil
}

// Handler serves the API and its pages.
func (a *API) Handler() http.Handler { return a.handler }

// routes puts the pages before the operations: what is no page is looked up
// in the description.
func (a *API) routes() (http.Handler, error) {
	strict := spec.NewStrictHandlerWithOptions(a, nil, spec.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  a.failDecoding,
		ResponseErrorHandlerFunc: a.fail,
	})
	operations := spec.HandlerWithOptions(strict, spec.ChiServerOptions{
		BaseRouter:       chi.NewRouter(),
		ErrorHandlerFunc: a.failBinding,
	})
	root := chi.NewRouter()
	if err := a.pages(root); err != nil {
		return nil, err
	}
	root.NotFound(a.gate(operations).ServeHTTP)
	root.MethodNotAllowed(a.methodNotAllowed(root))
	return a.observe(a.recoverPanic(secure(root))), nil
}
