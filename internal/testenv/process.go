// Package testenv gives tests the servers they need: databases in a
// PostgreSQL that `make test` started, or in a private one that ends with the
// tests. It is imported by tests and by the test runner alone.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

const (
	// startTimeout is generous: a busy machine starts a server slowly.
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second
	// readyInterval is the pause between two looks at a starting server.
	readyInterval = 20 * time.Millisecond
	// startTries is how many ports are tried: a free port can be taken between
	// the look and the server's start.
	startTries = 3
)

// Server is a server process of a test run. It listens on 127.0.0.1 alone.
type Server struct {
	URL string

	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	folder  string
}

// Stop ends the server and removes its folder. It may be called twice.
func (s *Server) Stop() error {
	select {
	case <-s.ended:
	default:
		// Both servers take an interrupt for: close all connections and leave.
		if err := s.process.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop a server: %w", err)
		}
		select {
		case <-s.ended:
		case <-time.After(stopTimeout):
			if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("stop a server: %w", err)
			}
			<-s.ended
		}
	}
	return os.RemoveAll(s.folder)
}

// Account is the user that servers run as; nil means whoever runs the tests.
// PostgreSQL refuses to run as root.
type Account struct{ uid, gid uint32 }

// Unprivileged returns the account for servers: nil, or for root the first of
// names there is.
func Unprivileged(names ...string) (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &Account{uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("none of the users %v exists to run a server as", names)
}

// newFolder makes a temporary folder that the account owns.
func (a *Account) newFolder(name string) (string, error) {
	folder, err := os.MkdirTemp(fastFolder(), "fanfare-test-"+name+"-")
	if err == nil && a != nil {
		err = os.Chown(folder, int(a.uid), int(a.gid))
	}
	if err != nil {
		return "", fmt.Errorf("a folder for %s: %w", name, err)
	}
	return folder, nil
}

// fastFolder is where files live in memory, if there is room: a new database
// takes 20 ms there, and on a busy disk a second. Empty means the usual place.
func fastFolder() string {
	const memory, room = "/dev/shm", 4 << 30 // bytes; a test run fills less than one GiB
	var stat syscall.Statfs_t
	if err := syscall.Statfs(memory, &stat); err != nil || stat.Bavail*uint64(stat.Bsize) < room { //nolint:gosec // a block has a size
		return ""
	}
	return memory
}

// WritePrivate writes a file that only the account can read.
func (a *Account) WritePrivate(path, text string) error {
	err := os.WriteFile(path, []byte(text), 0o600)
	if err == nil && a != nil {
		err = os.Chown(path, int(a.uid), int(a.gid))
	}
	if err != nil {
		return fmt.Errorf("a file for a server: %w", err)
	}
	return nil
}

// Command runs as the account, with nothing of the environment but what
// programs need, away from the terminal's Ctrl-C: a server is stopped after
// the tests that use it, not with them.
func (a *Account) Command(ctx context.Context, folder, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // our own arguments
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return cmd
}

// start starts the command, and waits until ready answers without an error or
// the process has ended. The server writes what it says into its folder.
func start(
	ctx context.Context, cmd *exec.Cmd, folder, url string, ready func(context.Context, string) error,
) (*Server, error) {
	said, err := os.CreateTemp(folder, "output-")
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	defer said.Close() //nolint:errcheck // the process has a copy of its own
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	s := &Server{URL: url, process: cmd, ended: make(chan struct{}), folder: folder}
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // how it ended stands in what it said
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(ctx, url)
		if err == nil {
			return s, nil
		}
		select {
		case <-s.ended:
			_, _ = said.Seek(0, io.SeekStart)
			output, _ := io.ReadAll(said)
			return nil, fmt.Errorf("%s ended at once: %s", cmd.Path, output)
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%s is not ready: %w", cmd.Path, err), s.Stop())
		case <-time.After(readyInterval):
		}
	}
}

// freePort returns a port of 127.0.0.1 that nobody listens on just now.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("a free port: %w", err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("a free port: %v", l.Addr())
	}
	return addr.Port, nil
}

// Own gives a folder or file to the account.
func (a *Account) Own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// NewFolder makes a temporary folder, in memory if there is room, that other
// accounts may pass through.
func NewFolder(name string) (string, error) {
	folder, err := (*Account)(nil).newFolder(name)
	if err == nil {
		err = os.Chmod(folder, 0o755) //nolint:gosec // what is in it has modes of its own
	}
	return folder, err
}
