package neighbours

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fanfare-mq/fanfare/internal/bench"
	"github.com/fanfare-mq/fanfare/internal/enroll"
)

const app = "load"

// limits are what the flooding app may, by their names in the API. They are low
// enough for a small machine to serve, and the flood goes beyond them.
var limits = settings{
	"max_connections": 150, "connect_rate": 20, "publish_rate": 200, "publish_bytes": 200_000, "fanout_bytes": 500_000, "api_rate": 30,
}

type settings map[string]any

// String is the settings in a line.
func (s settings) String() string {
	b, err := json.Marshal(map[string]any(s))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// server is a running fanfare with its two organizations.
type server struct {
	MQTT, API    string // host and port; a URL
	Quiet, Flood enroll.Account

	binary string
	folder string
	pid    int
	cmd    *exec.Cmd
	exited chan struct{}
}

const (
	startPatience = 20 * time.Second
	stopPatience  = 10 * time.Second
)

// start runs a server as anybody gets it: default configuration, one node.
func start(ctx context.Context, cfg Config) (*server, error) {
	s := &server{binary: cfg.Binary, exited: make(chan struct{})}
	var err error
	if s.folder, err = os.MkdirTemp("", "fanfare-neighbours-"); err != nil {
		return s, err
	}
	if s.MQTT, err = bench.FreeAddress(ctx); err != nil {
		return s, err
	}
	api, err := bench.FreeAddress(ctx)
	if err != nil {
		return s, err
	}
	s.API = "http://" + api
	cmd := exec.Command(cfg.Binary, "serve") //nolint:noctx,gosec // it is stopped by a signal, not by ctx; the binary is this program
	cmd.Env = append(os.Environ(),
		"FANFARE_DATA="+filepath.Join(s.folder, "data"), "FANFARE_HTTP_ADDR="+api, "FANFARE_MQTT_ADDR="+s.MQTT,
		"FANFARE_WS_ADDR=", "FANFARE_METRICS_ADDR=", "FANFARE_LOG_LEVEL=error")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return s, err
	}
	s.cmd, s.pid = cmd, cmd.Process.Pid
	go func() {
		_ = cmd.Wait() // how it ended is told by its output
		close(s.exited)
	}()
	if err := s.await(ctx); err != nil {
		return s, err
	}
	return s, s.enroll(ctx, cfg.Unlimited)
}

// await waits until the server accepts connections.
func (s *server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		var d net.Dialer
		if nc, err := d.DialContext(ctx, "tcp", s.MQTT); err == nil {
			return nc.Close()
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s serve ended at once", s.binary)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// enroll signs both organizations up, and limits one unless it is to be unlimited.
func (s *server) enroll(ctx context.Context, unlimited bool) (err error) {
	if s.Quiet, err = enroll.App(ctx, s.API, "quiet", app); err != nil {
		return err
	}
	if s.Flood, err = enroll.App(ctx, s.API, "flood", app); err != nil {
		return err
	}
	if unlimited {
		return nil
	}
	return enroll.Limit(ctx, s.API, s.Flood.APIKey, app, limits)
}

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // gone already, at worst
		select {
		case <-s.exited:
		case <-time.After(stopPatience):
			_ = s.cmd.Process.Kill()
			<-s.exited
		}
	}
	_ = os.RemoveAll(s.folder) // a temporary folder
}

// order is what the flood's process is told, on its standard input, whose end is
// its own.
type order struct {
	MQTT, API, Token, Key string
	Kinds                 []string
	Beyond                int
}

// tally is what it says at its end.
type tally struct{ Attempts, Refused int64 }

func (t *tally) add(o tally) {
	t.Attempts += o.Attempts
	t.Refused += o.Refused
}

// flooding is a flood under way.
type flooding struct {
	cmd  *exec.Cmd
	told io.Closer
	said *json.Decoder
}

// flood starts one, and returns when it is about to begin.
func (s *server) flood(ctx context.Context, cfg Config, kinds []string) (*flooding, error) {
	cmd := exec.CommandContext(ctx, s.binary, "bench-neighbours", "--flood") //nolint:gosec // our own executable
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f := &flooding{cmd: cmd, told: in, said: json.NewDecoder(out)}
	return f, json.NewEncoder(in).Encode(order{
		MQTT: s.MQTT, API: s.API, Token: s.Flood.Token, Key: s.Flood.APIKey, Kinds: kinds, Beyond: cfg.Beyond,
	})
}

// end ends it and returns what it has attempted.
func (f *flooding) end() (t tally, err error) {
	if err = f.told.Close(); err != nil {
		return t, err
	}
	if err = f.said.Decode(&t); err != nil {
		return t, fmt.Errorf("the flood's process: %w", err)
	}
	return t, f.cmd.Wait()
}
