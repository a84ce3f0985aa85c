package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
)

// patience is how long a test waits for what normally takes milliseconds.
const patience = 30 * time.Second

// grace is how long what is deleted rests in tests: all nodes are there to hear
// of it.
const grace = 3 * time.Second

// server is `fanfare serve`, running in this process.
type server struct {
	api     *client.Client
	places  map[string]string // by the names that the start-up lines print
	stopped chan int          // its exit code
	cancel  context.CancelFunc
	stderr  *syncBuffer
}

// syncBuffer is a bytes.Buffer for writers on other goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serveArgs are the arguments of a server on free ports.
func serveArgs(folder string, more ...string) []string {
	return slices.Concat([]string{
		"serve", "--data", folder, "--log-format", "text", "--log-level", "debug", "--node", "one",
		"--http-addr", "127.0.0.1:0", "--mqtt-addr", "127.0.0.1:0", "--ws-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0",
	}, more)
}

// serve starts a server, waits until it says where it is, and stops it with
// the test.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &server{places: map[string]string{}, stopped: make(chan int, 1), cancel: cancel, stderr: &syncBuffer{}}
	r, w := io.Pipe()
	go func() {
		s.stopped <- cli.Run(ctx, cli.Process{Args: args, Stdin: strings.NewReader(""), Stdout: w, Stderr: s.stderr, Grace: grace})
		_ = w.Close()
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 2 {
			s.places[f[0]] = f[1]
		}
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			break
		}
	}
	if len(s.places) == 0 {
		cancel()
		t.Fatalf("no start: exit code %d\n%s", <-s.stopped, s.stderr)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	s.api = client.New(s.places["API"], "")
	t.Cleanup(func() {
		if code := s.stop(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.stderr)
		}
	})
	return s
}

// stop ends the server as SIGTERM does; twice is once.
func (s *server) stop(t *testing.T) int {
	t.Helper()
	s.cancel()
	select {
	case code := <-s.stopped:
		s.stopped <- code
		return code
	case <-time.After(patience):
		t.Fatal("the server does not stop")
		return -1
	}
}

// party is an organization with one app.
type party struct {
	*server
	app spec.CreatedApp
}

// found signs an organization up and creates the app chat.
func found(t *testing.T, s *server, org string) party {
	t.Helper()
	account, err := s.api.SignUp(t.Context(), spec.SignUp{
		Organization: org, Email: "owner@" + org + ".example", Password: rand.Text(),
	})
	if err != nil {
		t.Fatal(err)
	}
	app, err := s.api.With(account.Value.Token).CreateApp(t.Context(), spec.NewApp{ID: "chat", Name: "Chat"})
	if err != nil {
		t.Fatal(err)
	}
	return party{server: s, app: app.Value}
}

// at is the same party as another node of the cluster sees it.
func (p party) at(s *server) party { return party{server: s, app: p.app} }

// token asks the API for a device token.
func (p party) token(t *testing.T, user string) string {
	t.Helper()
	token, err := p.api.With(p.app.APIKey.Secret).IssueToken(t.Context(), p.app.ID, spec.TokenRequest{User: user})
	if err != nil {
		t.Fatal(err)
	}
	return token.Value.Token
}

// sign makes a device token as an app's backend does, with any claims.
func (p party) sign(t *testing.T, change func(*jwt.Token)) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "ana", "exp": time.Now().Add(time.Hour).Unix(),
	})
	token.Header["kid"] = p.app.SigningKey.Kid
	key := any([]byte(p.app.SigningKey.Secret))
	change(token)
	if token.Method == jwt.SigningMethodNone {
		key = jwt.UnsafeAllowNoneSignatureType
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// push pushes to a user and returns what was accepted.
func (p party) push(t *testing.T, user, title string) spec.Pushed {
	t.Helper()
	accepted, err := p.api.With(p.app.APIKey.Secret).Push(t.Context(), p.app.ID, spec.PushRequest{
		To: spec.Target{User: &user}, Notification: fmt.Appendf(nil, `{"title":%q,"body":"…"}`, title),
	})
	if err != nil {
		t.Fatal(err)
	}
	return accepted.Value
}

// phone is a connected device and what it received.
type phone struct {
	*device.Device
	arrived chan device.Message
	lost    chan error
}

// dial connects a device by a token.
func (p party) dial(t *testing.T, clientID, token string) *phone {
	t.Helper()
	return p.enter(t, clientID, p.app.TopicPrefix, token)
}

// enter connects a device and closes it with the test.
func (p party) enter(t *testing.T, clientID, username, password string) *phone {
	t.Helper()
	ph := &phone{arrived: make(chan device.Message, 100), lost: make(chan error, 1)}
	d, err := device.Connect(t.Context(), device.Options{
		URL: p.places["MQTT"], ClientID: clientID, Username: username, Token: password,
		Received: func(m device.Message) { ph.arrived <- m },
		Lost:     func(err error) { ph.lost <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	ph.Device = d
	return ph
}

// user connects a device of a user that listens to its own topics.
func (p party) user(t *testing.T, clientID, user string) *phone {
	t.Helper()
	ph := p.dial(t, clientID, p.token(t, user))
	if err := ph.Subscribe(t.Context(), fmt.Sprintf("%s/users/%s/#", p.app.TopicPrefix, user), 1); err != nil {
		t.Fatal(err)
	}
	return ph
}

// next waits for a message.
func (ph *phone) next(t *testing.T) device.Message {
	t.Helper()
	select {
	case m := <-ph.arrived:
		return m
	case err := <-ph.lost:
		t.Fatalf("the connection was lost: %v", err)
	case <-time.After(patience):
		t.Fatal("nothing arrived")
	}
	return device.Message{}
}

// expect waits for a message and checks that it is that push.
func (ph *phone) expect(t *testing.T, accepted spec.Pushed) {
	t.Helper()
	if m := ph.next(t); m.Topic != accepted.Topic || !bytes.Contains(m.Payload, []byte(accepted.ID)) {
		t.Fatalf("received %s %s, want push %s", m.Topic, m.Payload, accepted.ID)
	}
}
