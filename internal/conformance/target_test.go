package conformance_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
	management "github.com/fanfare-mq/fanfare/cmd/fanfare/client"
)

// target is the broker under test.
type target struct {
	links              []link
	username, password string
	prefix             string // of every topic
	ca                 string // file with the certificate that TLS clients trust
	fanfare            *fanfare
}

// fanfare is what only a Fanfare server has.
type fanfare struct {
	api   *management.Client
	app   spec.CreatedApp
	other spec.CreatedApp // of another organization
}

// token issues a device token.
func (f *fanfare) token(ctx context.Context, user string, ttl time.Duration) (string, error) {
	seconds := int32(ttl / time.Second)
	issued, err := f.api.With(f.app.APIKey.Secret).IssueToken(ctx, f.app.ID, spec.TokenRequest{User: user, TTLSeconds: &seconds})
	return issued.Value.Token, err
}

// foreign is the broker that FANFARE_CONFORMANCE_BROKER names by URLs,
// separated by commas: tcp://, tls://, ws:// or wss://.
func foreign(urls string) (*target, error) {
	t := &target{
		username: os.Getenv("FANFARE_CONFORMANCE_USERNAME"),
		password: os.Getenv("FANFARE_CONFORMANCE_PASSWORD"), prefix: "conformance",
		ca: os.Getenv("FANFARE_CONFORMANCE_CA"),
	}
	if t.username == "" {
		t.username, t.password = "conformance", "conformance"
	}
	for u := range strings.SplitSeq(urls, ",") {
		parsed, err := url.Parse(u)
		if err != nil {
			return nil, fmt.Errorf("FANFARE_CONFORMANCE_BROKER: %w", err)
		}
		t.links = append(t.links, link{kind: parsed.Scheme, url: parsed})
	}
	return t, nil
}

// kinds are the links of a Fanfare server by the names of its start-up lines.
var kinds = []struct{ kind, place string }{
	{"tcp", "MQTT"}, {"tls", "MQTTS"}, {"ws", "MQTT/WS"}, {"wss", "MQTT/WSS"},
}

// start starts a server on free ports: the program that
// FANFARE_CONFORMANCE_BINARY names, else the command in this process. stop
// returns what it logged if it did not end well.
func start(ctx context.Context, folder string) (places map[string]string, stop func() error, err error) {
	cert, key, err := certificate(folder)
	if err != nil {
		return nil, nil, err
	}
	args := []string{
		"serve", "--data", folder + "/data", "--log-format", "text", "--log-level", "debug", "--node", "one",
		"--http-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0", "--mqtt-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0",
		"--tls-cert", cert, "--tls-key", key, "--mqtts-addr", "127.0.0.1:0", "--wss-addr", "127.0.0.1:0",
	}
	said, err := os.Create(folder + "/log")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serve(ctx, args, w, said)
		_ = w.Close()
		ended <- err
	}()
	stop = func() error {
		cancel()
		if err := <-ended; err != nil {
			log, _ := os.ReadFile(folder + "/log")
			return fmt.Errorf("the server: %w\n%s", err, log)
		}
		return nil
	}
	if places = readPlaces(r); len(places) == 0 {
		return nil, nil, errors.Join(errors.New("the server does not start"), stop())
	}
	return places, stop, nil
}

func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if binary := os.Getenv("FANFARE_CONFORMANCE_BINARY"); binary != "" {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "FANFARE_") })
		cmd.Stdout, cmd.Stderr = stdout, stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = patience
		err := cmd.Run()
		if ctx.Err() != nil && cmd.ProcessState != nil && cmd.ProcessState.Success() {
			return nil
		}
		return err
	}
	if code := cli.Run(ctx, cli.Process{Args: args, Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr}); code != 0 {
		return fmt.Errorf("exit code %d", code)
	}
	return nil
}

// readPlaces reads the start-up lines, and goes on reading in the background.
func readPlaces(r io.Reader) map[string]string {
	places := map[string]string{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 2 {
			places[f[0]] = f[1]
		}
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return places
}

// local starts a server, signs two organizations up and lets everyone into
// the test app's topics.
func local(ctx context.Context, folder string) (*target, func() error, error) {
	places, stop, err := start(ctx, folder)
	if err != nil {
		return nil, nil, err
	}
	f := &fanfare{api: management.New(places["API"], "")}
	t := &target{username: "acme/chat", prefix: "acme/chat/open", ca: folder + "/cert.pem", fanfare: f}
	for _, k := range kinds {
		u, err := url.Parse(places[k.place])
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		t.links = append(t.links, link{kind: k.kind, url: u})
	}
	if err := f.found(ctx); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	t.password, err = f.token(ctx, "ana", time.Hour)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return t, stop, nil
}

// found signs up acme and globex and writes acme's access rules.
func (f *fanfare) found(ctx context.Context) error {
	for org, app := range map[string]*spec.CreatedApp{"acme": &f.app, "globex": &f.other} {
		account, err := f.api.SignUp(ctx, spec.SignUp{Organization: org, Email: "owner@" + org + ".example", Password: rand.Text()})
		if err != nil {
			return err
		}
		created, err := f.api.With(account.Value.Token).CreateApp(ctx, spec.NewApp{ID: "chat", Name: "Chat"})
		if err != nil {
			return err
		}
		*app = created.Value
	}
	everyone := spec.WhoEveryone(true)
	_, err := f.api.With(f.app.APIKey.Secret).SetACL(ctx, f.app.ID, spec.ACL{Rules: []spec.Rule{{
		Effect: "allow", Action: "all", Topic: "acme/chat/open/#", Who: spec.Who{Everyone: &everyone},
	}}})
	return err
}

// tokenOf issues a device token to a user of the test app.
func (r *run) tokenOf(user string, ttl time.Duration) string {
	r.Helper()
	token, err := r.target.fanfare.token(r.Context(), user, ttl)
	if err != nil {
		r.Fatal(err)
	}
	return token
}
