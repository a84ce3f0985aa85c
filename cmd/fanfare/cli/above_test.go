package cli_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/api/spec"
)

// TestAboveTheWall: an operator's login hears two organizations and speaks to
// one, on a server that allows it; the same login before that is like any other.
func TestAboveTheWall(t *testing.T) {
	t.Parallel()
	folder, password := t.TempDir(), rand.Text()
	s := serve(t, serveArgs(folder)...)
	acme, globex := found(t, s, "acme"), found(t, s, "globex")
	owner, err := s.api.SignUp(t.Context(), spec.SignUp{Organization: "ops", Email: "owner@ops.example", Password: rand.Text()})
	if err != nil {
		t.Fatal(err)
	}
	app, err := s.api.With(owner.Value.Token).CreateApp(t.Context(), spec.NewApp{ID: "console", Name: "Console"})
	if err != nil {
		t.Fatal(err)
	}
	super := true
	login := spec.NewLogin{Username: "watch", Password: password, User: "watcher", Super: &super}
	if err := s.api.With(owner.Value.Token).Post(t.Context(), "/v1/apps/console/logins", login, &spec.Login{}); err == nil {
		t.Error("a super-client on a server that does not allow it")
	}
	s.stop(t)

	s = serve(t, serveArgs(folder, "--operator-org", "ops", "--operator-across", "on")...)
	acme, globex = acme.at(s), globex.at(s)
	if err := s.api.With(owner.Value.Token).Post(t.Context(), "/v1/apps/console/logins", login, &spec.Login{}); err != nil {
		t.Fatal(err)
	}
	ops := party{server: s, app: app.Value}
	watch := ops.enter(t, "watch-1", "ops/console/watch", password)
	if err := watch.Subscribe(t.Context(), "+/chat/#", 1); err != nil {
		t.Fatal(err)
	}
	for _, p := range []party{acme, globex} {
		watch.expect(t, p.push(t, "ana", "Hello"))
	}
	phone := acme.user(t, "phone-1", "ana")
	if err := watch.Publish(t.Context(), "acme/chat/users/ana/news", 1, "from above"); err != nil {
		t.Fatal(err)
	}
	if m := phone.next(t); string(m.Payload) != "from above" {
		t.Errorf("got %s", m.Payload)
	}
	ordinary := ops.enter(t, "plain-1", ops.app.TopicPrefix, ops.token(t, "bo"))
	if err := ordinary.Subscribe(t.Context(), "+/chat/#", 0); err == nil {
		t.Error("another device of the operator's organization hears the others")
	}
	s.stop(t) // which keeps what waits
	s = serve(t, serveArgs(folder)...)
	var page spec.AuditPage
	if err := s.api.With(owner.Value.Token).Get(t.Context(), "/v1/audit?action=across", &page); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range page.Items {
		got = append(got, page.Items[i].Action+" "+strings.Fields(page.Items[i].Target)[0])
	}
	slices.Sort(got)
	if want := []string{"across.publish acme", "across.read acme", "across.read globex"}; !slices.Equal(got, want) {
		t.Errorf("the audit log has %q, want %q", got, want)
	}
}
