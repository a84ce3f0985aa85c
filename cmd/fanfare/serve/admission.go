package serve

import (
	"log/slog"

	"github.com/fanfare-mq/fanfare/broker/edge"
)

// admission is what the node's settings and its limit of open files admit.
func (p *process) admission() edge.Admission {
	files := openFiles()
	room := connectionsFor(files)
	a := edge.Admission{
		MaxConnections: p.cfg.Connections, MaxHalfOpen: p.cfg.HalfOpen,
		MaxHalfOpenPerAddress: p.cfg.HalfOpenPerAddress, MaxFailures: p.cfg.FailedConnects,
	}
	if a.MaxConnections == 0 {
		a.MaxConnections = room
	}
	if room > 0 && a.MaxConnections > room {
		p.log.Warn("the limit of open files does not allow so many connections; raise it (ulimit -Hn, LimitNOFILE) or lower FANFARE_MAX_CONNECTIONS",
			slog.Int("connections", a.MaxConnections), slog.Int("open_files", files))
	}
	p.log.Info("connections", slog.Int("max", a.MaxConnections), slog.Int("open_files", files))
	return a
}

const (
	// reserveLeast and reserveMost bound the descriptors that are kept for the
	// message log, the database and HTTP: a sixteenth of all.
	reserveLeast = 64
	reserveMost  = 512
)

// connectionsFor is how many connections may be open with that many files;
// 0 stands for no limit, in both.
func connectionsFor(files int) int {
	if files <= 0 {
		return 0
	}
	return max(files-min(max(files/16, reserveLeast), reserveMost), 1)
}
