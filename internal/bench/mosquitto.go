package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// startMosquitto starts Debian's mosquitto with nothing that costs it time:
// anonymous clients, no persistence, no Nagle delay, no queue limit.
func startMosquitto(ctx context.Context, _ Config, dir string) (target, *process, error) {
	return launchMosquitto(ctx, dir, "mosquitto", "set_tcp_nodelay true\nmax_inflight_messages 0\nmax_queued_messages 0\n")
}

// startDefaultMosquitto starts it with the queues that it has by default.
func startDefaultMosquitto(ctx context.Context, _ Config, dir string) (target, *process, error) {
	return launchMosquitto(ctx, dir, "mosquitto with its default queues", "")
}

func launchMosquitto(ctx context.Context, dir, name, settings string) (target, *process, error) {
	path, err := findMosquitto()
	if err != nil {
		return target{}, nil, err
	}
	addr, err := FreeAddress(ctx)
	if err != nil {
		return target{}, nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return target{}, nil, err
	}
	conf := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n%s", port, settings)
	file := filepath.Join(dir, "mosquitto-"+port+".conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return target{}, nil, err
	}
	p, err := launch(ctx, exec.Command(path, "-c", file), addr) //nolint:gosec,noctx // it is stopped by a signal, not by ctx
	if err != nil {
		return target{}, p, err
	}
	t := target{
		name: name, about: mosquittoVersion(ctx, path) + "; in memory only, anonymous clients",
		addr: addr, prefix: "bench/load/", pid: p.cmd.Process.Pid,
	}
	return t, p, nil
}

func findMosquitto() (string, error) {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path, nil
	}
	const debian = "/usr/sbin/mosquitto" // often not in a user's PATH
	if _, err := os.Stat(debian); err != nil {
		return "", errNoPeer
	}
	return debian, nil
}

func mosquittoVersion(ctx context.Context, path string) string {
	out, _ := exec.CommandContext(ctx, path, "-h").CombinedOutput() // -h exits non-zero
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(first)
}
