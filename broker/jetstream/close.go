package jetstream

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// closePatience bounds how long Close waits for the log's last answers.
const closePatience = 5 * time.Second

// Close refuses new messages, waits a little for the log's answers to those
// it has, and ends everything. It may be called twice.
func (b *Bus) Close() error {
	b.closing.Do(func() { b.closeErr = b.close() })
	return b.closeErr
}

func (b *Bus) close() error {
	b.closed.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	b.appender.drain(ctx)
	b.stopAppend()
	b.appending.Wait()
	b.appender.close()
	b.keeper.drain(ctx)
	b.stopKeep()
	b.keeping.Wait()
	b.stopReading()
	b.store.desk.drain(ctx)
	b.stopStore()
	b.storing.Wait()
	b.store.desk.close()
	b.stopLive()
	b.living.Wait()
	if b.trunk.IsConnected() {
		b.sayGoodbye(ctx)
	}
	b.disconnect()
	return nil
}

// stopReading ends the questions; those who wait hear so.
func (b *Bus) stopReading() {
	b.stopRead()
	b.lastHeads()
	b.reading.Wait()
	b.readers.close()
	b.getters.close()
	b.scanners.close()
}

// sayGoodbye sends what is buffered and gives the name back; a failure costs
// the next start of this node nothing, for nobody will answer under the name.
func (b *Bus) sayGoodbye(ctx context.Context) {
	if err := errors.Join(b.trunk.FlushWithContext(ctx), b.side.FlushWithContext(ctx)); err != nil {
		b.cfg.Logger.Warn("last live messages may be lost", slog.Any("error", err))
	}
	if err := b.drawer.FlushWithContext(ctx); err != nil {
		b.cfg.Logger.Warn("last events may be lost", slog.Any("error", err))
	}
	if !b.Alone() {
		b.noteReachedNow(ctx)
	}
	if err := b.leaseholder.leave(ctx); err != nil {
		b.cfg.Logger.Warn("lease not given back", slog.Any("error", err))
	}
	if b.claim != nil {
		if err := b.claim.release(ctx); err != nil {
			b.cfg.Logger.Warn("node name not given back", slog.Any("error", err))
		}
	}
}

// disconnect undoes connect, however far it came.
func (b *Bus) disconnect() {
	if b.side != nil {
		b.side.Close()
	}
	if b.drawer != nil {
		b.drawer.Close()
	}
	if b.trunk != nil {
		b.trunk.Close()
	}
	if b.upstream.server != nil {
		b.upstream.server.stop()
	}
}
