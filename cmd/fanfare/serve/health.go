package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
)

// readyTimeout bounds one readiness check; probes commonly wait a second or more.
const readyTimeout = 2 * time.Second

// checks tell, by the name of a part, whether it does its work. Together they
// are the readiness of the process.
func (p *process) checks() map[string]api.Check {
	checks := map[string]api.Check{"nats": p.bus.Ready, "store": p.store.Ping}
	if p.cfg.Has(config.API) {
		checks["http"] = func(context.Context) error {
			if !p.serving.Load() {
				return errors.New("not listening")
			}
			return nil
		}
	}
	if p.edge != nil {
		checks["mqtt"] = func(context.Context) error {
			if !p.edge.Ready() {
				return errors.New("not listening")
			}
			return nil
		}
	}
	return checks
}

// ready returns nil if every part does its work. The error joins what does not.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var errs []error
	for name, check := range p.checks() {
		if err := check(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

const (
	// settlePatience is how long a start waits for what parts begin behind the
	// scenes. After that the process is one whose parts are away: it serves what
	// it can, and /readyz says what it cannot.
	settlePatience = 10 * time.Second
	settleEvery    = 10 * time.Millisecond
)

// settle waits until every part does its work: "ready" is to be true when it is
// said.
func (p *process) settle(ctx context.Context) {
	late := time.NewTimer(settlePatience)
	defer late.Stop()
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		err := p.ready(ctx)
		if err == nil || len(p.failed) > 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			p.log.Warn("not all parts work yet", slog.Any("error", err))
			return
		case <-tick.C:
		}
	}
}

// openMetrics serves metrics and health to the operator.
func (p *process) openMetrics(ctx context.Context) (closer, error) {
	if p.cfg.MetricsAddr == "" {
		return nil, nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	registry.MustRegister(logMetrics{p.bus})
	if p.edge != nil {
		registry.MustRegister(p.edge.Collectors()...)
	}
	registry.MustRegister(p.estate.Collectors()...)
	registry.MustRegister(p.tally.Collectors()...)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { answer(w, p.ready(r.Context())) })
	socket, err := bind(ctx, p.cfg.MetricsAddr)
	if err != nil {
		return nil, err
	}
	p.addresses.Metrics = socket.Addr().String()
	return p.serveHTTP("metrics", socket, mux, metricsGrace), nil
}

// answer says ok, or what is not, in plain words. Only the operator reads it.
func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintln(w, err)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}
