package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// TestPeopleAtTheTerminal goes the way of two people: invited, promoted, logged
// out, back by a link, and gone.
func TestPeopleAtTheTerminal(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := serve(t, serveArgs(folder)...)
	run := func(token, stdin string, args ...string) string {
		t.Helper()
		got := command(t, []string{"FANFARE_URL=" + s.places["API"], "FANFARE_TOKEN=" + token, "FANFARE_DATA=" + folder}, stdin, args...)
		if got.code != 0 {
			t.Fatalf("%q: %d, %s", args, got.code, got.stderr)
		}
		return got.stdout
	}
	find := func(output, pattern string) string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindString(output)
		if found == "" {
			t.Fatalf("no %s in %q", pattern, output)
		}
		return found
	}
	const session, link = `ffs_[0-9A-Za-z]{43}`, `http://[^ ]*#ff[ir]_[0-9A-Za-z]{43}`
	run("", "correct horse battery\n", "signup", "acme", "ana@acme.example")
	ana := find(run("", "correct horse battery\n", "login", "ana@acme.example", "--organization", "acme"), session)
	invitation := find(run(ana, "", "member", "invite", "bo@acme.example", "--role", "admin"), link)
	bo := find(run("", "staple battery horse\n", "join", invitation), session)
	if list := run(bo, "", "member", "list"); !strings.Contains(list, "ana@acme.example  owner") || !strings.Contains(list, "bo@acme.example   admin") {
		t.Errorf("members:\n%s", list)
	}
	run(ana, "", "member", "role", "bo@acme.example", "viewer")
	run(bo, "staple battery horse\ncorrect horse staple\n", "password")
	run(bo, "", "logout")
	if got := command(t, []string{"FANFARE_URL=" + s.places["API"], "FANFARE_TOKEN=" + bo}, "", "member", "list"); got.code != 1 || !strings.Contains(got.stderr, "unauthenticated") {
		t.Errorf("logged out: %+v", got)
	}
	reset := find(run("", "", "member", "reset-password", "bo@acme.example"), link)
	run("", "battery horse staple\n", "password", "--link", reset)
	bo = find(run("", "battery horse staple\n", "login", "bo@acme.example"), session)
	run(bo, "", "member", "remove", "bo@acme.example") // of one's own will
	if list := run(ana, "", "member", "list"); strings.Contains(list, "bo@acme.example") {
		t.Errorf("members:\n%s", list)
	}
}

// TestPasswordOnceMore: a command that needs the password asks for it and goes on.
func TestPasswordOnceMore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, stdin string
		code        int
		asked       string
	}{
		{"given", "right\n", 0, `POST /v1/invitations|POST /v1/me/confirm {"password":"right"}|POST /v1/invitations`},
		{"wrong", "wrong\n", 1, `POST /v1/invitations|POST /v1/me/confirm {"password":"wrong"}`},
		{"nobody is there", "", 1, `POST /v1/invitations`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				line, body := r.Method+" "+r.URL.Path, ""
				if r.URL.Path == "/v1/me/confirm" {
					text, _ := io.ReadAll(r.Body)
					body = string(text)
					line += " " + body
				}
				confirmed := len(asked) == 2
				asked = append(asked, line)
				switch {
				case strings.Contains(body, "wrong"):
					w.WriteHeader(http.StatusUnprocessableEntity)
					_, _ = io.WriteString(w, `{"title":"Invalid","code":"invalid"}`)
				case body != "":
					_, _ = io.WriteString(w, `{}`)
				case confirmed:
					_, _ = io.WriteString(w, `{"email":"bo@acme.example","role":"viewer","link":"https://x/#ffi_y"}`)
				default:
					w.WriteHeader(http.StatusForbidden)
					_, _ = io.WriteString(w, `{"title":"Password required","code":"step_up_required"}`)
				}
			}))
			t.Cleanup(s.Close)
			got := command(t, []string{"FANFARE_URL=" + s.URL, "FANFARE_TOKEN=x"}, c.stdin, "member", "invite", "bo@acme.example")
			if got.code != c.code || strings.Join(asked, "|") != c.asked {
				t.Errorf("got %+v, asked %q", got, asked)
			}
			if c.stdin == "" && !strings.Contains(got.stderr, "step_up_required") {
				t.Errorf("got %q", got.stderr)
			}
		})
	}
}
