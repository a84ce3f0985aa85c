package jetstream

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// diskInterval is how often the disk is looked at. What one node has under
	// way, MaxPendingBytes, comes on top of what is written meanwhile.
	diskInterval = 500 * time.Millisecond
	// diskReserve is what the embedded log leaves free: for what is under way,
	// for session records and the index, and because a server that meets the end
	// of the disk stops its streams until it is started again.
	diskReserve = 256 << 20
	// diskReturn is how much more than that must be free before messages are
	// taken again, so that the log is not full and not full in turn.
	diskReturn = 64 << 20
)

// disk watches the free space of the embedded log.
type disk struct {
	dir     string
	reserve int64
	free    func(dir string) (int64, error)
	log     *slog.Logger
	full    atomic.Bool
}

func newDisk(cfg Config) *disk {
	return &disk{dir: cfg.Dir, reserve: diskReserve, free: freeDisk, log: cfg.Logger}
}

// isFull says that nothing more may be stored. There may be no disk to watch.
func (d *disk) isFull() bool { return d != nil && d.full.Load() }

// run looks until ctx ends.
func (d *disk) run(ctx context.Context) {
	for wait(ctx, diskInterval) {
		d.look()
	}
}

func (d *disk) look() {
	free, err := d.free(d.dir)
	switch full := d.full.Load(); {
	case err != nil: // the log itself will say more
	case !full && free < d.reserve:
		d.full.Store(true)
		d.log.Error("the disk is nearly full: no messages are taken for the log", slog.Int64("free_bytes", free))
	case full && free >= d.reserve+diskReturn:
		d.full.Store(false)
		d.log.Info("the disk has room again: messages are taken", slog.Int64("free_bytes", free))
	}
}
