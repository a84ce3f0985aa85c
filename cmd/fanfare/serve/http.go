package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
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
	// httpGrace is how long a stop waits for requests under way, and
	// metricsGrace for a scrape; answers normally take milliseconds.
	httpGrace    = 3 * time.Second
	metricsGrace = 250 * time.Millisecond
	// maxHeader is ample for a bearer token, in bytes.
	maxHeader = 32 << 10
)

// bind takes an address, so that a port in use is an error at start.
func bind(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", address)
}

// serveHTTP serves until its closer is called, which gives requests under way
// the grace, and then cuts them: a client that never ends its request must not
// make the stop of a server a failure.
func (p *process) serveHTTP(name string, l net.Listener, h http.Handler, grace time.Duration) closer {
	var silent silentConns
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         silent.changed,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.fail(name, err)
		}
	}()
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		silent.close()
		err := s.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			p.log.Warn("requests were cut short", slog.String("listener", name), slog.Duration("waited", grace))
			err = nil
		}
		return errors.Join(err, s.Close())
	}
}

// silentConns are the connections of a server on which nothing has arrived
// yet. Server.Shutdown waits five seconds for their first byte.
type silentConns struct {
	mu       sync.Mutex // guards what follows
	open     map[net.Conn]struct{}
	stopping bool
}

// changed follows http.Server.ConnState.
func (s *silentConns) changed(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.open, c)
	case s.stopping:
		_ = c.Close()
	default:
		if s.open == nil {
			s.open = make(map[net.Conn]struct{})
		}
		s.open[c] = struct{}{}
	}
}

// close ends them, and those that are still to come.
func (s *silentConns) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for c := range s.open {
		_ = c.Close()
	}
}

// all closes several at once, as one.
func all(closers ...closer) closer {
	return func(ctx context.Context) error {
		errs := make([]error, len(closers))
		var wg sync.WaitGroup
		for i, c := range closers {
			wg.Go(func() { errs[i] = c(ctx) })
		}
		wg.Wait()
		return errors.Join(errs...)
	}
}
