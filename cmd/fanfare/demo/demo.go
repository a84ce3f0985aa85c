// Package demo shows Fanfare at work: it starts a server of its own in a
// temporary folder and uses it from outside, as apps and devices would.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/config"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/serve"
)

// timeout bounds all steps together; they normally take two seconds.
const timeout = 60 * time.Second

// Options say how to show it.
type Options struct {
	Out     io.Writer
	Colour  bool
	Exit    bool         // end after the steps instead of waiting for ctx
	Logger  *slog.Logger // of the server
	Version string
}

// show is one run of the demo: what the steps have made so far.
type show struct {
	out    *paper
	api    *client.Client // of the server, without a credential
	server serve.Addresses

	acme, globex party
	phone        *device.Device
	arrived      chan device.Message
	lost         chan error
}

// party is an organization with an app and one user's token.
type party struct {
	app   spec.CreatedApp
	key   string // API key
	token string // device token
}

// step is one thing to see. It fails unless it was really observed.
type step struct {
	title string
	run   func(context.Context) error
}

func (s *show) steps() []step {
	return []step{
		{"An organization signs up, and creates an app", s.signUp},
		{"A phone connects over MQTT and listens for its user, ana", s.connect},
		{"The app's backend pushes to ana over REST", s.push},
		{"A device of another organization tries to listen in", s.eavesdrop},
		{"It tries to send to ana, too", s.intrude},
	}
}

// Run starts the server, runs the steps, and, unless o.Exit, leaves the server
// running until ctx ends.
func Run(ctx context.Context, o Options) (err error) {
	folder, err := os.MkdirTemp("", "fanfare-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	ctx, cancel := context.WithCancelCause(ctx)
	s := &show{
		out:     &paper{w: o.Out, colour: o.Colour},
		arrived: make(chan device.Message, 16), lost: make(chan error, 1),
	}
	ready, ended := make(chan serve.Addresses, 1), make(chan error, 1)
	go func() {
		err := runServer(ctx, folder, o, ready)
		cancel(err)
		ended <- err
	}()
	defer func() {
		if s.phone != nil {
			s.phone.Close()
		}
		cancel(nil)
		if failure := <-ended; failure != nil {
			err = fmt.Errorf("the server: %w", failure) // whatever else went wrong followed from it
		}
	}()
	return s.play(ctx, o, ready)
}

// runServer is fanfare serve with free ports and everything in one folder.
func runServer(ctx context.Context, folder string, o Options, ready chan<- serve.Addresses) error {
	settings := config.Defaults()
	settings.Data = folder
	settings.Node = "demo"
	for _, address := range []*string{&settings.HTTPAddr, &settings.MQTTAddr, &settings.WSAddr, &settings.MetricsAddr} {
		*address = "127.0.0.1:0"
	}
	cfg, err := settings.Check("")
	if err != nil {
		return err
	}
	return serve.Run(ctx, cfg, serve.Options{
		Logger: o.Logger, Version: o.Version, Ready: func(a serve.Addresses) { ready <- a },
	})
}

// play runs the steps.
func (s *show) play(ctx context.Context, o Options, ready <-chan serve.Addresses) error {
	hurry, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not seen within %v", timeout))
	defer cancel()
	began := time.Now()
	s.out.title("Fanfare starts: one process, everything embedded, in a temporary folder")
	select {
	case s.server = <-ready:
	case <-hurry.Done():
		return context.Cause(hurry)
	}
	for _, place := range s.server.Places() {
		s.out.detail("%-8s %s", place.Name, place.URL)
	}
	s.out.seen("ready after %v", time.Since(began).Round(time.Millisecond))
	s.api = client.New("http://"+s.server.HTTP, "")
	for i, step := range s.steps() {
		s.out.title("%d. %s", i+1, step.title)
		if err := step.run(hurry); err != nil {
			if cause := context.Cause(hurry); cause != nil {
				err = cause
			}
			s.out.failed(err)
			return fmt.Errorf("demo step %d (%s) was not seen: %w", i+1, step.title, err)
		}
	}
	s.out.title("Everything was seen, in %v", time.Since(began).Round(time.Millisecond))
	if o.Exit {
		return nil
	}
	return s.linger(ctx)
}
