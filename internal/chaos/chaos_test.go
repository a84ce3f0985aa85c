package chaos_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/internal/chaos"
	"github.com/fanfare-mq/fanfare/internal/cluster"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// The short form; make chaos has the long one.
var (
	seed           = flag.Uint64("seed", 1, "when what is killed")
	subscribers    = flag.Int("subscribers", 150, "durable devices that listen")
	publishers     = flag.Int("publishers", 30, "durable devices that publish")
	qos1           = flag.Int("qos1", 3000, "messages with QoS 1")
	qos2           = flag.Int("qos2", 300, "messages with QoS 2")
	duration       = flag.Duration("duration", 15*time.Second, "over which they are published")
	nodeKills      = flag.Int("node-kills", 2, "how often a node is killed")
	natsKills      = flag.Int("nats-kills", 1, "how often a NATS server is killed")
	down           = flag.Duration("down", 3*time.Second, "how long what was killed is down")
	singleKills    = flag.Int("single-kills", 20, "how often the one process is killed")
	singleMessages = flag.Int("single-messages", 20_000, "messages with QoS 1 to the one process")
	patience       = flag.Duration("patience", 90*time.Second, "how long to wait for the last deliveries")
)

// TestChaos kills nodes and NATS servers under load: nothing acknowledged is
// lost, the order of each publisher holds, and QoS 2 comes once.
func TestChaos(t *testing.T) {
	c := start(t, false)
	report, err := chaos.Run(t.Context(), c, chaos.Config{
		Seed: *seed, Subscribers: *subscribers, Publishers: *publishers, QoS1: *qos1, QoS2: *qos2,
		Duration: *duration, NodeKills: *nodeKills, NATSKills: *natsKills, Down: *down, Patience: *patience,
	}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if !report.OK() {
		t.Errorf("a promise was broken; again with -seed %d", *seed)
	}
}

// TestChaosSingle kills the one process of somebody who has not set anything,
// over and over: what it acknowledged is in its folder.
func TestChaosSingle(t *testing.T) {
	c := start(t, true)
	report, err := chaos.Run(t.Context(), c, chaos.Config{
		Seed: *seed, Subscribers: 20, Publishers: 10, QoS1: *singleMessages, QoS2: *singleMessages / 20,
		Duration: time.Duration(*singleKills) * time.Second, NodeKills: *singleKills, Down: 10 * time.Millisecond, Patience: *patience,
	}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if !report.OK() || len(report.Kills) != *singleKills {
		t.Errorf("a promise was broken; again with -seed %d", *seed)
	}
}

// start builds the programs and starts a cluster of its own.
func start(t *testing.T, single bool) *cluster.Cluster {
	t.Helper()
	bin := t.TempDir()
	for program, path := range map[string]string{
		"fanfare": "github.com/fanfare-mq/fanfare/cmd/fanfare", "nats-server": "github.com/nats-io/nats-server/v2",
	} {
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", filepath.Join(bin, program), path)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
	}
	dir, err := testenv.NewFolder("cluster")
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.New(t.Context(), cluster.Config{
		Fanfare: filepath.Join(bin, "fanfare"), NATS: filepath.Join(bin, "nats-server"), Dir: dir, FreePorts: true, Single: single,
		Env: []string{"FANFARE_LOG_FORMAT=json"},
	})
	if err != nil {
		t.Fatalf("this test needs servers (%v): run it through make test", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log("what the parts said is in", dir)
			return
		}
		_ = os.RemoveAll(dir) // a folder in the temporary folder
	})
	if err := c.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	return c
}
