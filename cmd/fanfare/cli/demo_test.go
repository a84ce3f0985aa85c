package cli_test

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/cmd/fanfare/cli"
)

func TestDemoExit(t *testing.T) {
	t.Parallel()
	got := command(t, []string{"NO_COLOR=1"}, "", "demo", "--exit")
	if got.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", got.code, got.stdout, got.stderr)
	}
	for _, want := range []string{
		"phone-1 is connected", "answered 202", "phone-1 received it",
		"SUBACK 0x80: refused to listen to acme/chat/users/ana/#", "reached no one", "Everything was seen",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("the demo does not say %q:\n%s", want, got.stdout)
		}
	}
	if strings.Contains(got.stdout, "\x1b") {
		t.Error("colours where nobody sees them")
	}
}

// Without --exit the demo waits, shows what arrives, and ends well on Ctrl-C.
func TestDemoLingers(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	out := &lineWatch{interrupt: interrupt}
	code := cli.Run(ctx, cli.Process{Args: []string{"demo"}, Stdin: strings.NewReader(""), Stdout: out, Stderr: &out.log})
	if code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", code, out.String(), out.log.String())
	}
	for _, want := range []string{
		`curl -sS http://127\.0\.0\.1:\d+/v1/apps/chat/push -H 'Authorization: Bearer ffk_\S+' \\`,
		`mosquitto_sub -h 127\.0\.0\.1 -p \d+ .* -t 'acme/chat/users/ana/#'`,
		`-u acme/chat -P 'ey\S+'`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no line like %s in:\n%s", want, out.String())
		}
	}
}

// lineWatch interrupts the demo when it has printed its last line.
type lineWatch struct {
	syncBuffer
	interrupt func()
	log       syncBuffer
}

func (l *lineWatch) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("-u acme/chat")) {
		defer l.interrupt()
	}
	return l.syncBuffer.Write(p)
}
