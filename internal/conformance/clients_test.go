//go:build clients

package conformance_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// programs are the clients of internal/clients, as scripts/clients.sh leaves
// them.
var programs = []struct {
	name    string
	command []string // paths are the repository's
}{
	{"mqttjs", []string{"node", "internal/clients/mqttjs/main.js"}},
	{"mosquitto", []string{"bash", "internal/clients/mosquitto/main.sh"}},
	{"pahogo", []string{"bin/clients/pahogo"}},
	{"pahogo5", []string{"bin/clients/pahogo5"}},
	{"pahoc", []string{"bin/clients/pahoc"}},
	{"pahopython", []string{"bin/clients/python/bin/python", "internal/clients/pahopython/main.py"}},
	{"pahojava", []string{"java", "-cp", "bin/clients/java/classes:bin/clients/java/lib/*", "test.Main"}},
}

// TestClients runs other people's clients. Each says its steps and ends with
// exit code 0.
func TestClients(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), clientEnvironment(t, p.name)...)
			said, err := cmd.CombinedOutput()
			if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
				t.Fatalf("%s is missing; install it with: make test-clients", p.command[0])
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", p.name, err, said)
				failed.Add(1)
				return
			}
			passed.Add(1)
			t.Logf("\n%s", said)
		})
	}
}

// clientEnvironment is what internal/clients/README.md says.
func clientEnvironment(t *testing.T, name string) []string {
	t.Helper()
	out := []string{
		"MQTT_USERNAME=" + subject.username, "MQTT_PASSWORD=" + subject.password,
		"MQTT_PREFIX=" + subject.prefix + "/clients/" + name, "MQTT_CA=" + subject.ca,
	}
	ports := map[string]string{"tcp": "MQTT_PORT", "tls": "MQTT_TLS_PORT", "ws": "MQTT_WS_PORT"}
	for _, l := range subject.links {
		host, port, err := net.SplitHostPort(l.url.Host)
		if err != nil {
			t.Fatal(err)
		}
		if l.kind == "tcp" {
			out = append(out, "MQTT_HOST="+host)
		}
		if variable := ports[l.kind]; variable != "" {
			out = append(out, variable+"="+port)
		}
	}
	return out
}
