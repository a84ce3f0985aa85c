package cli_test

import (
	"bufio"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// mosquitto returns the arguments with which Debian's clients connect as a user.
func mosquitto(t *testing.T, program string, p party, clientID, token string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing; install it with: apt-get install -y mosquitto-clients", program)
	}
	mqtt, err := url.Parse(p.places["MQTT"])
	if err != nil {
		t.Fatal(err)
	}
	// Writing into a pipe, mosquitto_sub keeps its lines for itself unless told.
	return exec.CommandContext(t.Context(), "stdbuf", append([]string{
		"-oL", path, "-h", mqtt.Hostname(), "-p", mqtt.Port(), "-u", p.app.TopicPrefix, "-P", token, "-i", clientID,
	}, args...)...)
}

func TestMosquittoClients(t *testing.T) {
	t.Parallel()
	acme := found(t, serve(t, serveArgs(t.TempDir())...), "acme")
	token := acme.token(t, "ana")
	sub := mosquitto(t, "mosquitto_sub", acme, "phone-1", token, "-t", "acme/chat/users/ana/#", "-q", "1", "-d", "-C", "2")
	stdout, err := sub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	until := func(part string) string {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return lines.Text()
			}
		}
		t.Fatalf("mosquitto_sub ended without %q", part)
		return ""
	}
	until("Subscribed")
	accepted := acme.push(t, "ana", "Hello")
	if line := until(`"title"`); !strings.Contains(line, accepted.ID) {
		t.Errorf("mosquitto_sub prints %s", line)
	}

	pub := mosquitto(t, "mosquitto_pub", acme, "phone-2", token, "-t", "acme/chat/users/ana/up/hi", "-m", "from a device", "-q", "1")
	if out, err := pub.CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub: %v\n%s", err, out)
	}
	until("from a device")
	if err := sub.Wait(); err != nil {
		t.Error(err)
	}

	refused := mosquitto(t, "mosquitto_sub", acme, "phone-3", token, "-t", "globex/#", "-E", "-d")
	if out, err := refused.CombinedOutput(); err == nil && !strings.Contains(string(out), "128") {
		t.Errorf("mosquitto_sub is not refused:\n%s", out)
	}
}
