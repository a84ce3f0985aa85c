package api_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fanfare-mq/fanfare/api"
	"github.com/fanfare-mq/fanfare/tenant"
)

// operatorOperations are the operations of the operator as openapi.yaml has
// them, "METHOD path", each path with acme in place of its parameters.
func operatorOperations(t *testing.T) []string {
	t.Helper()
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	var operations []string
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Extensions["x-operator"] == nil {
				continue
			}
			if !slices.Contains(op.Tags, "Operation") || op.Security == nil || len(*op.Security) != 2 {
				t.Errorf("%s %s: tags %v, security %v", method, path, op.Tags, op.Security)
			}
			operations = append(operations, method+" "+regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "acme"))
		}
	}
	if len(operations) < 2 {
		t.Fatalf("only %q", operations)
	}
	return operations
}

// TestOperationsAreTheOperators: for everybody else they do not exist.
func TestOperationsAreTheOperators(t *testing.T) {
	s := newServer(t)
	acme := s.member("acme", tenant.Owner)
	key := s.app(acme, "chat")
	viewer := s.member("ops", tenant.Viewer)
	s.call("POST", "/v1/operator/plans", s.operator(), `{"name":"acme"}`).want(t, http.StatusCreated)
	old := s.operator()
	s.clock.Advance(2 * time.Minute)
	for _, op := range operatorOperations(t) {
		method, path, _ := strings.Cut(op, " ")
		s.call(method, path, "", nil).problem(t, 401, "unauthenticated")
		s.call(method, path, old, nil).problem(t, 401, "unauthenticated")
		s.call(method, path, acme, nil).problem(t, 404, "not_found")
		s.call(method, path, key, nil).problem(t, 404, "not_found")
		if method != http.MethodGet {
			s.call(method, path, viewer, nil).problem(t, 403, "forbidden")
		} else if got := s.call(method, path, viewer, nil); got.StatusCode != http.StatusOK {
			t.Errorf("%s %s for a viewer of the operator's organization: %d %s", method, path, got.StatusCode, got.text)
		}
	}
}

// TestTheOperatorIsNoMember: the master key opens the operator's operations and
// none of an organization's own.
func TestTheOperatorIsNoMember(t *testing.T) {
	s := newServer(t)
	s.app(s.member("acme", tenant.Owner), "chat")
	for _, path := range []string{"/v1/me", "/v1/apps", "/v1/apps/chat", "/v1/apps/chat/acl"} {
		s.call("GET", path, s.operator(), nil).problem(t, 403, "forbidden")
	}
	s.call("POST", "/v1/apps/chat/push", s.operator(), `{"to":{"user":"a"},`+note+`}`).problem(t, 403, "forbidden")
}

func TestOperationIsOnTheAdminSurface(t *testing.T) {
	for surface, code := range map[api.Surface]int{api.All: 200, api.Admin: 200, api.App: 404} {
		s := newServer(t, func(c *api.Config, _ *api.Deps) { c.Surface = surface })
		if got := s.call("GET", "/v1/operator/organizations", s.operator(), nil); got.StatusCode != code {
			t.Errorf("surface %d answers %d", surface, got.StatusCode)
		}
	}
}

func TestOrganizations(t *testing.T) {
	s := newServer(t)
	s.app(s.member("acme", tenant.Owner), "chat")
	s.member("acme-labs", tenant.Owner)
	ops := s.member("ops", tenant.Viewer)
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", []string{"acme", "acme-labs", "ops"}},
		{"?query=acme", []string{"acme", "acme-labs"}},
		{"?query=%25", []string{}},
		{"?query=_", []string{}},
		{"?limit=1&cursor=acme", []string{"acme-labs"}},
	} {
		for _, token := range []string{s.operator(), ops} {
			page := s.call("GET", "/v1/operator/organizations"+c.query, token, nil).want(t, 200)
			got := []string{}
			for _, item := range page["items"].([]any) {
				got = append(got, item.(map[string]any)["id"].(string))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %q, want %q", c.query, got, c.want)
			}
		}
	}
	s.call("GET", "/v1/operator/organizations?cursor=A", ops, nil).problem(t, 422, "invalid")
	acme := s.call("GET", "/v1/operator/organizations/acme", ops, nil)
	if body := acme.want(t, 200); body["apps"] != 1.0 || body["members"] != 1.0 || body["state"] != "active" || body["plan"] != "default" || acme.Header.Get("ETag") == "" {
		t.Errorf("acme: %s", acme.text)
	}
	s.call("GET", "/v1/operator/organizations/nobody", ops, nil).problem(t, 404, "not_found")
}
