package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"
)

const (
	// headerTimeout and idleTimeout keep slow and silent clients from holding
	// connections.
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// readTimeout covers a whole request; bodies are small.
	readTimeout = 30 * time.Second
	// writeTimeout covers the answer, the wait for the message log included.
	writeTimeout = 60 * time.Second
	// maxHeader is ample for a bearer token, in bytes.
	maxHeader = 32 << 10
)

// bind takes an address, so that a port in use is an error at start.
func bind(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", address)
}

// serveHTTP serves until its closer is called.
func (p *process) serveHTTP(name string, l net.Listener, h http.Handler) closer {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.fail(name, err)
		}
	}()
	return func(ctx context.Context) error {
		// Requests under way end; what does not end in time is cut.
		return errors.Join(s.Shutdown(ctx), s.Close())
	}
}

// all closes several as one, in reverse.
func all(closers ...closer) closer {
	return func(ctx context.Context) error {
		var errs []error
		for _, c := range slices.Backward(closers) {
			errs = append(errs, c(ctx))
		}
		return errors.Join(errs...)
	}
}
