// Command testrun runs the project's tests: it starts the servers that they
// need on free ports in temporary folders, runs `go test -race` with its own
// arguments (all packages without any), stops what it started, and ends with
// the number of tests passed and failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/fanfare-mq/fanfare/internal/testenv"
	"github.com/fanfare-mq/fanfare/internal/testsum"
)

// stopDelay is how long tests may take to end after an interrupt.
const stopDelay = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ok, err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (ok bool, err error) {
	environment := os.Environ()
	for _, s := range []struct {
		variable string
		start    func(context.Context) (*testenv.Server, error)
	}{
		{testenv.PostgresVariable, testenv.StartPostgres},
		{testenv.RedisVariable, testenv.StartRedis},
	} {
		server, err := s.start(ctx)
		if err != nil {
			return false, err
		}
		defer func() { err = errors.Join(err, server.Stop()) }()
		fmt.Fprintln(out, "started", server.Describe())
		environment = append(environment, s.variable+"="+server.URL)
	}
	summary, err := test(ctx, args, environment, out)
	if summary.Skipped > 0 {
		fmt.Fprintln(out, summary.Skipped, "skipped")
	}
	fmt.Fprintln(out, summary)
	return summary.OK(), err
}

func test(ctx context.Context, args, environment []string, out io.Writer) (testsum.Summary, error) {
	if len(args) == 0 {
		args = []string{"./..."}
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-race"}, args...)...) //nolint:gosec // the developer's own arguments
	cmd.Env = environment
	cmd.Stderr = os.Stderr
	// A group of its own, so that an interrupt reaches the test programs too,
	// and none of them outlives the run.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = stopDelay
	report, err := cmd.StdoutPipe()
	if err != nil {
		return testsum.Summary{}, fmt.Errorf("go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return testsum.Summary{}, fmt.Errorf("go test: %w", err)
	}
	summary, err := testsum.Read(report, out)
	// go test fails if a test fails, which the summary says better.
	ended := cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // normally there is nobody left
	switch {
	case ctx.Err() != nil:
		return summary, errors.New("interrupted")
	case err != nil:
		return summary, err
	case ended != nil && summary.Failed == 0:
		return summary, fmt.Errorf("go test: %w", ended)
	}
	return summary, nil
}
