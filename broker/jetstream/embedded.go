package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// syncInterval bounds what a power cut can take from the embedded log.
	syncInterval = time.Second
	// startPatience is how long the embedded server may read its store; a
	// store of many millions of messages without an index takes minutes.
	startPatience = 5 * time.Minute
	// outboundBytes is what the embedded server queues for one of our own
	// connections before it drops it: more than the window of all acks.
	outboundBytes = 256 << 20
)

// embedded is a NATS server inside this process. It opens no port.
type embedded struct {
	server *server.Server
	unlock func()
}

// startEmbedded starts a server on the store under cfg.Dir, which no other
// process may use meanwhile.
func startEmbedded(cfg Config) (*embedded, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("jetstream: store: %w", err)
	}
	unlock, err := lockFile(filepath.Join(cfg.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("jetstream: the store %s is in use by another process: %w", cfg.Dir, err)
	}
	s, err := server.NewServer(&server.Options{
		ServerName:   cfg.Node,
		DontListen:   true,
		NoSigs:       true,
		JetStream:    true,
		StoreDir:     cfg.Dir,
		SyncInterval: syncInterval,
		SyncAlways:   cfg.SyncAlways,
		MaxPending:   outboundBytes,
	})
	if err != nil {
		unlock()
		return nil, fmt.Errorf("jetstream: embedded server: %w", err)
	}
	s.SetLogger(natsLog{cfg.Logger}, false, false)
	e := &embedded{server: s, unlock: unlock}
	s.Start()
	if !s.ReadyForConnections(startPatience) {
		e.stop()
		return nil, errors.New("jetstream: the embedded server did not become ready")
	}
	return e, nil
}

func (e *embedded) stop() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	e.unlock()
}

// natsLog brings the embedded server's log into ours. What the server calls
// information is detail to somebody who runs Fanfare.
type natsLog struct{ log *slog.Logger }

var _ server.Logger = natsLog{}

func (l natsLog) write(level slog.Level, format string, v []any) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "nats-server", slog.String("text", fmt.Sprintf(format, v...)))
	}
}

// Noticef is the server's information.
func (l natsLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }

// Warnf is a warning.
func (l natsLog) Warnf(format string, v ...any) { l.write(slog.LevelWarn, format, v) }

// Fatalf is an error after which the server stops.
func (l natsLog) Fatalf(format string, v ...any) { l.write(slog.LevelError, format, v) }

// Errorf is an error.
func (l natsLog) Errorf(format string, v ...any) { l.write(slog.LevelError, format, v) }

// Debugf is never called: the server's own debugging is off.
func (l natsLog) Debugf(format string, v ...any) { l.write(slog.LevelDebug, format, v) }

// Tracef is never called: the server's tracing is off.
func (l natsLog) Tracef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
