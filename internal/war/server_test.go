package war_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/serve"
)

// patience is how long anybody waits for what normally takes milliseconds.
const patience = 30 * time.Second

// server is the real server, in this process.
type server struct {
	api, mqtt string
	log       *complaints
}

// startServer starts a server that ends with the test.
func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{log: &complaints{}}
	ready := make(chan serve.Addresses, 1)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		ended <- serve.Run(ctx, settings(t), serve.Options{
			Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelError})),
			Ready:  func(a serve.Addresses) { ready <- a },
		})
	}()
	select {
	case a := <-ready:
		s.api, s.mqtt = "http://"+a.HTTP, a.MQTT
	case err := <-ended:
		cancel()
		t.Fatalf("the server does not start: %v\n%s", err, s.log)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Logf("the server does not stop in time: %v", err) // on a machine that does much else
		}
	})
	return s
}

// settings are those of a server alone, on free ports.
func settings(t *testing.T) config.Config {
	t.Helper()
	s := config.Defaults()
	s.Data, s.Node = t.TempDir(), "one"
	s.HTTPAddr, s.MQTTAddr, s.WSAddr, s.MetricsAddr = "127.0.0.1:0", "127.0.0.1:0", "", ""
	s.OperatorOrg, s.OperatorAcross = "overseer", "on" // there is something above the wall, and nobody gets there
	cfg, err := s.Check("")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// complaints is the server's log, of errors alone.
type complaints struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

var _ io.Writer = (*complaints)(nil)

func (c *complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *complaints) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("errors of the server:\n%s", c.text.String())
}

// any reports whether the server has complained.
func (c *complaints) any() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Len() > 0
}
