package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/fanfare-mq/fanfare/internal/enroll"
)

// startFanfare starts this server as anybody gets it: default configuration,
// one node, embedded log and store. Its clients are authenticated by token.
func startFanfare(ctx context.Context, cfg Config, dir string) (target, *process, error) {
	mqtt, err := FreeAddress(ctx)
	if err != nil {
		return target{}, nil, err
	}
	api, err := FreeAddress(ctx)
	if err != nil {
		return target{}, nil, err
	}
	cmd := exec.Command(cfg.Binary, "serve") //nolint:gosec,noctx // our own executable; it is stopped by a signal, not by ctx
	cmd.Env = append(os.Environ(),
		"FANFARE_DATA="+filepath.Join(dir, "fanfare"), "FANFARE_HTTP_ADDR="+api, "FANFARE_MQTT_ADDR="+mqtt,
		"FANFARE_WS_ADDR=", "FANFARE_METRICS_ADDR=", "FANFARE_LOG_LEVEL=error")
	p, err := launch(ctx, cmd, mqtt)
	if err != nil {
		return target{}, p, err
	}
	token, err := enroll.Device(ctx, "http://"+api, "bench", "load")
	if err != nil {
		return target{}, p, fmt.Errorf("sign up for the benchmark: %w", err)
	}
	t := target{
		name: "fanfare", about: "this build; JWT clients, access rules, QoS 1 in the log on disk before PUBACK",
		addr: mqtt, username: "bench/load", password: token, prefix: "bench/load/", pid: p.cmd.Process.Pid,
	}
	return t, p, nil
}
