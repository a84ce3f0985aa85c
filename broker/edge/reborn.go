package edge

import (
	"context"
	"log/slog"
	"time"
)

// rebirthPause is how long to wait before a new instance is asked for again.
const rebirthPause = time.Second

// lost hears that the other nodes take this one for dead.
func (e *Edge) lost() {
	select {
	case e.dead <- struct{}{}:
	default:
	}
}

// live makes the node another instance each time that the others have declared
// it dead: they look after its sessions already.
func (e *Edge) live(ctx context.Context) {
	for {
		select {
		case <-e.dead:
			e.rebirth(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// rebirth sends all clients away, puts their sessions away as far as they are
// still this instance's, and begins anew.
func (e *Edge) rebirth(ctx context.Context) {
	e.cutOff.Store(true)
	for _, l := range e.loops {
		l.post(event{kind: evDo, do: l.dismiss})
	}
	grace, cancel := context.WithTimeout(ctx, shutdownGrace)
	e.owners.flush(grace)
	cancel()
	for {
		instance, err := e.deps.Bus.Reborn(ctx)
		if err == nil {
			err = e.beInstance(instance)
		}
		if err == nil {
			e.log.Info("the node lives again", slog.String("instance", instance))
			e.cutOff.Store(false)
			return
		}
		e.log.Warn("the node gets no new instance", slog.Any("error", err))
		select {
		case <-time.After(rebirthPause):
		case <-ctx.Done():
			return
		}
	}
}

// beInstance begins the life of an instance.
func (e *Edge) beInstance(instance string) error {
	e.owners.begin(instance)
	return e.deps.Bus.OnAsk(instance, e.owners.era.Load().asked)
}
