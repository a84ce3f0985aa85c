package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The lines after Next are pasted: they must find the server that answered.
func TestNextLines(t *testing.T) {
	t.Parallel()
	const app = `{"id":"chat","name":"Chat","topic_prefix":"acme/chat","api_key":{"id":"key_1","secret":"ffk_s"},
		"signing_key":{"kid":"sk_1","alg":"HS256","secret":"hmac"},"endpoints":%s}`
	signup := `{"organization":"acme","member":{"email":"a@b.c","role":"owner"},"token":"ffs_t"}`
	tests := []struct {
		name, answer string
		byFlag       bool // the server's URL is a flag, not in the environment
		args         []string
		want         string // URL stands for the server's
	}{
		{
			"signup, URL in the environment", signup, false,
			[]string{"signup", "acme", "a@b.c", "--password=x"},
			"export FANFARE_TOKEN=ffs_t\n  fanfare app create chat\n",
		},
		{
			"signup, URL by flag", signup, true,
			[]string{"signup", "acme", "a@b.c", "--password=x"},
			"export FANFARE_URL=URL\n  export FANFARE_TOKEN=ffs_t\n  fanfare app create chat\n",
		},
		{
			"app, all at its default", fmt.Sprintf(app, `{"api":"http://localhost:8080","mqtt":"mqtt://localhost:1883"}`), true,
			[]string{"app", "create", "chat"},
			"Next:\n  export FANFARE_APP=chat FANFARE_API_KEY=ffk_s\n  export FANFARE_DEVICE_TOKEN=$(fanfare token ana)\n",
		},
		{
			"app, elsewhere", fmt.Sprintf(app, `{"api":"https://push.example.com","ws":"ws://h:8083/mqtt","wss":"wss://h/mqtt"}`), false,
			[]string{"app", "create", "chat"},
			"Clients connect to:\n  ws://h:8083/mqtt  wss://h/mqtt\n\nNext:\n  export FANFARE_URL=https://push.example.com\n" +
				"  export FANFARE_MQTT_URL=ws://h:8083/mqtt\n  export FANFARE_APP=chat",
		},
		{
			"app without devices", fmt.Sprintf(app, `{"api":"URL"}`), false,
			[]string{"app", "create", "chat"},
			"kid sk_1\n\nNext:\n  export FANFARE_APP=chat",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var url string
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, strings.ReplaceAll(tt.answer, "URL", url))
			}))
			t.Cleanup(api.Close)
			url = api.URL
			env := []string{"FANFARE_TOKEN=ffs_e"}
			if tt.byFlag {
				tt.args = append(tt.args, "--url="+url)
			} else {
				env = append(env, "FANFARE_URL="+url)
			}
			got := command(t, env, "", tt.args...)
			if want := strings.ReplaceAll(tt.want, "FANFARE_URL=URL", "FANFARE_URL="+url); got.code != 0 || !strings.Contains(got.stdout, want) {
				t.Errorf("exit code %d: %s\n%s\nwant %s", got.code, got.stderr, got.stdout, want)
			}
		})
	}
}
