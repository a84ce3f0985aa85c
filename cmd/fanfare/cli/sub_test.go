package cli_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
)

// The commands as a person uses them, one after the other.
func TestFromSignupToPush(t *testing.T) {
	t.Parallel()
	s := serve(t, serveArgs(t.TempDir())...)
	env := []string{"FANFARE_URL=" + s.places["API"], "FANFARE_MQTT_URL=" + s.places["MQTT"], "FANFARE_APP=chat"}
	// run runs a command and adds what it prints after name= to the environment.
	run := func(name string, args ...string) string {
		t.Helper()
		got := command(t, env, "correct horse battery\n", args...)
		if got.code != 0 {
			t.Fatalf("%s: exit code %d: %s", args, got.code, got.stderr)
		}
		if _, rest, ok := strings.Cut(got.stdout, name+"="); ok {
			env = append(env, name+"="+strings.Fields(rest)[0])
		}
		return got.stdout
	}
	run("FANFARE_TOKEN", "signup", "acme", "ada@acme.example")
	run("FANFARE_API_KEY", "app", "create", "chat", "--name", "Chat")
	if list := run("", "app", "list"); !strings.Contains(list, "acme/chat/#") {
		t.Errorf("app list prints %s", list)
	}
	env = append(env, "FANFARE_DEVICE_TOKEN="+strings.TrimSpace(run("", "token", "ana")))

	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	said, ended := &connectedWatch{connected: make(chan struct{})}, make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.Process{Args: []string{"sub", "-u", "acme/chat"}, Environ: env, Stdin: strings.NewReader(""), Stdout: w, Stderr: said})
	}()
	select {
	case <-said.connected:
	case code := <-ended:
		t.Fatalf("exit code %d: %s", code, said)
	}
	lines := bufio.NewScanner(r)
	for _, target := range []struct{ flag, topic string }{{"--user=ana", "acme/chat/users/ana"}, {"--everyone", "acme/chat/broadcast"}} {
		run("", "push", "Hello", "It works.", target.flag)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), target.topic+" {") || !strings.Contains(lines.Text(), `"It works."`) {
			t.Errorf("sub prints %q", lines.Text())
		}
	}
	interrupt()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d: %s", code, said)
	}

	for _, refused := range []struct {
		args []string
		want string
	}{
		{[]string{"sub", "-u", "acme/chat", "-t", "globex/#"}, "SUBACK 0x80"},
		{[]string{"sub", "-u", "acme/shop"}, "CONNACK"},
		{[]string{"sub", "-u", "acme/chat", "-P", "nonsense", "-t", "acme/x"}, "CONNACK"},
	} {
		if got := command(t, env, "", refused.args...); got.code != 1 || !strings.Contains(got.stderr, refused.want) {
			t.Errorf("%s: exit code %d: %s", refused.args, got.code, got.stderr)
		}
	}
}

// connectedWatch tells when sub says that it is connected.
type connectedWatch struct {
	syncBuffer
	connected chan struct{}
}

func (c *connectedWatch) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), "Connected") {
		close(c.connected)
	}
	return c.syncBuffer.Write(p)
}
