package cli

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/serve"
)

type serveCmd struct {
	config.Settings
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, t *terminal) error {
	hostname, _ := os.Hostname() // without one, the node has a name of last resort
	cfg, err := c.Check(hostname)
	if err != nil {
		return err
	}
	asText := cfg.LogFormat == "text" || cfg.LogFormat == "auto" && isTerminal(t.stderr)
	ready := func(serve.Addresses) {}
	if cfg.LogFormat != "json" || t.interactive { // who asks for JSON reads the log
		ready = func(a serve.Addresses) { t.welcome(cfg, a) }
	}
	return serve.Run(ctx, cfg, serve.Options{
		Logger: newLogger(t.stderr, asText, cfg.LogLevel), Version: Version(), Ready: ready, Grace: t.grace,
	})
}

func newLogger(w io.Writer, asText bool, level string) *slog.Logger {
	var options slog.HandlerOptions
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err == nil {
		options.Level = l
	}
	if asText {
		return slog.New(slog.NewTextHandler(w, &options))
	}
	return slog.New(slog.NewJSONHandler(w, &options))
}

// welcome says where to go next.
func (t *terminal) welcome(cfg config.Config, a serve.Addresses) {
	t.say("Fanfare %s is ready: node %s", Version(), cfg.Node)
	for _, place := range a.Places() {
		t.say("  %-8s %s", place.Name, place.URL)
	}
	if cfg.Has(config.API) && cfg.Signup == "open" {
		t.say("Next:")
		t.export(apiURL, a.Management())
		t.say("  %s signup acme you@example.com    (or watch it work: %s demo)", t.program, t.program)
	}
	t.say("Ctrl-C stops it.")
}
