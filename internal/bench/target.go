package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// target is one running server.
type target struct {
	name, about        string
	addr               string // MQTT over TCP
	username, password string
	prefix             string // of topics, with its slash
	pid                int
}

// startTargets starts the servers on free ports. stop ends what was started,
// also after an error.
func startTargets(ctx context.Context, cfg Config) (targets []target, stop func(), err error) {
	dir, err := os.MkdirTemp("", "fanfare-bench-")
	if err != nil {
		return nil, func() {}, err
	}
	var processes []*process
	stop = func() {
		for _, p := range processes {
			p.stop()
		}
		_ = os.RemoveAll(dir) // a temporary folder
	}
	starters := []func(context.Context, Config, string) (target, *process, error){startFanfare}
	if !cfg.NoPeer {
		starters = append(starters, startMosquitto, startDefaultMosquitto)
	}
	for _, start := range starters {
		t, p, err := start(ctx, cfg, dir)
		if p != nil {
			processes = append(processes, p)
		}
		if err != nil {
			return nil, stop, err
		}
		targets = append(targets, t)
	}
	return targets, stop, nil
}

// process is a server that was started here.
type process struct {
	cmd    *exec.Cmd
	output *tail
	exited chan struct{}
}

// launch starts a server and waits until addr accepts connections.
func launch(ctx context.Context, cmd *exec.Cmd, addr string) (*process, error) {
	p := &process{cmd: cmd, output: new(tail), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // how it ended is told by its output
		close(p.exited)
	}()
	const startTimeout = 20 * time.Second
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		var d net.Dialer
		if nc, err := d.DialContext(ctx, "tcp", addr); err == nil {
			return p, nc.Close()
		}
		select {
		case <-p.exited:
			return p, fmt.Errorf("%s ended at once: %s", cmd.Path, p.output)
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return p, fmt.Errorf("%s does not listen on %s: %s", cmd.Path, addr, p.output)
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // gone already, at worst
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// FreeAddress returns a loopback address that was free a moment ago.
func FreeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// tail keeps the last output of a process for its error message. The process's
// output goroutine is its only writer; it is read after the process ended or
// when it is given up.
type tail struct{ text []byte }

var _ io.Writer = (*tail)(nil)

// Write keeps the last bytes.
func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	t.text = append(t.text, p...)
	if over := len(t.text) - most; over > 0 {
		t.text = t.text[over:]
	}
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string { return string(t.text) }

// errNoPeer tells how to get the peer.
var errNoPeer = errors.New("mosquitto is not installed: apt-get install mosquitto, or leave it out with --no-peer")
