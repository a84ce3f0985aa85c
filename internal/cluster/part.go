package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// State is what a part does.
type State string

// The states.
const (
	Running State = "running"
	Paused  State = "paused" // stopped by a signal: it holds its connections and says nothing
	Stopped State = "stopped"
	Ended   State = "ended" // by itself
)

const (
	// startPatience is generous: a busy machine starts a server slowly.
	startPatience = 2 * time.Minute
	// stopPatience is how long a clean stop may take until it becomes a kill.
	stopPatience  = 20 * time.Second
	readyInterval = 50 * time.Millisecond
)

// Part is one process of the cluster, that can be started again with the same
// address and folder.
type Part struct {
	Name  string
	Serve string // what it serves, for people

	path    string
	args    []string
	env     []string
	account *testenv.Account
	folder  string
	signal  os.Signal // asks for a clean stop
	ready   func(context.Context) error

	mu    sync.Mutex // guards the fields below
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
	state State
}

// Start starts the part and waits until it is ready.
func (p *Part) Start(ctx context.Context) error {
	if err := p.launch(ctx); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return p.Ready(ctx)
}

// launch starts the process. It outlives ctx.
func (p *Part) launch(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == Running || p.state == Paused {
		return errors.New("it runs already")
	}
	said, err := os.OpenFile(p.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer said.Close() //nolint:errcheck // the process has a copy of its own
	cmd := p.account.Command(context.WithoutCancel(ctx), p.folder, p.path, p.args...)
	cmd.Env = append(cmd.Env, p.env...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.ended, p.state = cmd, make(chan struct{}), Running
	go p.wait(cmd, p.ended)
	return nil
}

// wait notes the process's end.
func (p *Part) wait(cmd *exec.Cmd, ended chan struct{}) {
	_ = cmd.Wait() // how it ended stands in what it said
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == cmd && (p.state == Running || p.state == Paused) {
		p.state = Ended
	}
	close(ended)
}

// Log is the file that has what the part said.
func (p *Part) Log() string { return filepath.Join(p.folder, p.Name+".log") }

// Ready waits until the part answers.
func (p *Part) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.process():
			return fmt.Errorf("%s ended at once, see %s", p.Name, p.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", p.Name, err)
		case <-time.After(readyInterval):
		}
	}
}

// process is closed when the part's present process has ended.
func (p *Part) process() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// State is what the part does just now.
func (p *Part) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == "" {
		return Stopped
	}
	return p.state
}

// Kill ends the part at once, as kill -9 does, with all of its processes.
func (p *Part) Kill() error { return p.end(syscall.SIGKILL, 0) }

// Stop asks the part to end, and kills it if that takes too long.
func (p *Part) Stop() error { return p.end(p.signal, stopPatience) }

// end ends the part. It is no error if it has ended.
func (p *Part) end(signal os.Signal, patience time.Duration) error {
	p.mu.Lock()
	cmd, ended, state := p.cmd, p.ended, p.state
	if state != Running && state != Paused {
		p.mu.Unlock()
		return nil
	}
	p.state = Stopped
	p.mu.Unlock()
	if state == Paused && signal != syscall.SIGKILL {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT) // else it would not hear the next one
	}
	if signal != syscall.SIGKILL {
		if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		select {
		case <-ended:
			return nil
		case <-time.After(patience):
		}
	}
	// The group, as PostgreSQL is many processes.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	<-ended
	return nil
}

// Restart is Stop and Start.
func (p *Part) Restart(ctx context.Context) error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Start(ctx)
}

// Pause stops the part without ending it: to the others it looks like a
// machine that hangs, or a network that is cut.
func (p *Part) Pause() error { return p.hold(syscall.SIGSTOP, Running, Paused) }

// Resume lets a paused part go on.
func (p *Part) Resume() error { return p.hold(syscall.SIGCONT, Paused, Running) }

func (p *Part) hold(signal syscall.Signal, from, to State) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != from {
		return fmt.Errorf("%s is not %s", p.Name, from)
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, signal); err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	if to == Paused {
		if err := stands(p.cmd.Process.Pid); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	p.state = to
	return nil
}

// stands waits until a process that was sent SIGSTOP has stopped. On a busy
// machine its threads run on for a while, and what happens right after the
// signal would still be seen by them.
func stands(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
