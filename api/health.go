package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
)

// checkTimeout is how long a component may take to say that it is there:
// below the patience of the usual supervisor.
const checkTimeout = 2 * time.Second

// GetHealth answers while the process can answer.
func (a *API) GetHealth(context.Context, spec.GetHealthRequestObject) (spec.GetHealthResponseObject, error) {
	return spec.GetHealth200JSONResponse{Status: spec.HealthStatusOk}, nil
}

// GetReadiness asks all components at once. What is wrong with one goes to the
// log, not to whoever asks.
func (a *API) GetReadiness(ctx context.Context, _ spec.GetReadinessRequestObject) (spec.GetReadinessResponseObject, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var (
		wg         sync.WaitGroup
		mu         sync.Mutex // guards the two below
		ready      = true
		components = map[string]spec.ReadinessComponents{}
	)
	for name, check := range a.deps.Checks {
		wg.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			components[name] = spec.ReadinessComponentsOk
			if err != nil {
				ready, components[name] = false, spec.ReadinessComponentsUnavailable
				a.log.WarnContext(ctx, "a component is not ready", slog.String("component", name), slog.Any("error", err))
			}
		})
	}
	wg.Wait()
	if ready {
		return spec.GetReadiness200JSONResponse{Status: spec.ReadinessStatusOk, Components: components}, nil
	}
	return spec.GetReadiness503JSONResponse{
		Body:    spec.Readiness{Status: spec.ReadinessStatusUnavailable, Components: components},
		Headers: spec.GetReadiness503ResponseHeaders{RetryAfter: int32(retryAfter[fault.Unavailable])}, //nolint:gosec // small
	}, nil
}
