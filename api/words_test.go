package api_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare"
)

// TestDetails: what is wrong is said once, in words, and of the field that
// people know.
func TestDetails(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	key := s.app(member, "chat")
	for _, c := range []struct{ method, path, token, body, detail string }{
		{"POST", "/v1/signup", "", `{"organization":"acme","email":"bo@example.com","password":"correct horse battery"}`, "the organization's name is taken"},
		{"POST", "/v1/signup", "", `{"organization":"ops","email":"bo@example.com","password":"correct horse battery"}`, "the organization's name is taken"},
		{"POST", "/v1/signup", "", `{"organization":"acme2","email":"ana@acme.example","password":"correct horse battery"}`, "the e-mail address is registered already"},
		{
			"POST", "/v1/signup", "", `{"organization":"","email":"bo@example.com","password":"correct horse battery"}`,
			"organization must be 1 to 40 lower case letters, digits and hyphens, and start and end with a letter or digit",
		},
		{"POST", "/v1/signup", "", `{"organization":"acme2","email":"bo@example.com","password":7}`, "password must be text"},
		{"POST", "/v1/signup", "", `[]`, "the body must be an object"},
		{"POST", "/v1/signup", "", `{}`, "The request has 3 faults."},
		{"POST", "/v1/apps", member, `{"id":"chat","name":"Chat"}`, "the organization has an app of that name"},
		{"POST", "/v1/apps", member, `{"id":"new","name":""}`, "name must have 1 to 80 characters"},
		{"GET", "/v1/apps?limit=101", member, ``, "limit must be at most 100"},
		{"GET", "/v1/apps?limit=ten", member, ``, "limit must be a whole number"},
		{"POST", tokenPath, key, `{"user":"ana","ttl_seconds":2592001}`, "ttl_seconds must be at most 2592000"},
		{"POST", tokenPath, key, `{"user":"ana","ttl_seconds":0}`, "ttl_seconds must be at least 1"},
		{"POST", tokenPath, key, `{"user":"ana","ttl_seconds":99999999999}`, "ttl_seconds must be 1 to 2592000"},
		{"POST", tokenPath, key, `{"user":"ana","ttl_seconds":1e2}`, "ttl_seconds must be a whole number, written with digits alone"},
		{"POST", tokenPath, key, `{"user":"ana","tags":["a","a"]}`, "tags must not hold the same item twice"},
		{"POST", tokenPath, key, `{"user":"ana","tags":["a#"]}`, "tags[0] must not contain /, + or #"},
		{"POST", pushPath, key, `{"to":{"user":"a/b"},` + note + `}`, "to.user must not contain /, + or #"},
		{"POST", pushPath, key, `{"to":{},` + note + `}`, "to must have exactly one field"},
		{"POST", pushPath, key, `{"to":{"everyone":false},` + note + `}`, "to.everyone must be true"},
		{"POST", pushPath, key, `{"to":{"group":"a"},` + note + `}`, "to.group is not a known field"},
		{"POST", pushPath, key, `{"to":{"user":"a"},"notification":{"title":"x","body":null}}`, "notification.body must not be null"},
		{"POST", pushPath, key, `{"to":{"user":"a"},"qos":3,` + note + `}`, "qos must be at most 2"},
		{"POST", pubPath, key, `{"topic":"globex/x","payload":""}`, `topic must start with "acme/"`},
		{"POST", pubPath, key, `{"topic":"acme/x","payload":"` + strings.Repeat("a", 256<<10+1) + `"}`, "payload must have at most 262144 bytes"},
		{"POST", pubPath, key, `{"topic":"acme/x","payload":"","content_type":" "}`, "content_type must be a MIME type such as text/plain"},
		{"POST", pubPath, key, `{"topic":"acme/x","payload":"","encoding":"hex"}`, `encoding must be "utf8" or "base64"`},
		{
			"PUT", aclPath, key, `{"rules":[{"effect":"maybe","action":"all","topic":"acme/x","who":{"everyone":true}}]}`,
			`rules[0].effect must be "allow" or "deny"`,
		},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		if got := detail(t, s.call(c.method, c.path, c.token, body)); got != c.detail {
			t.Errorf("%s %s %.80s\n got %q\nwant %q", c.method, c.path, c.body, got, c.detail)
		}
	}
}

func detail(t *testing.T, a answer) string {
	t.Helper()
	var problem struct{ Detail string }
	if err := json.Unmarshal(a.text, &problem); err != nil {
		t.Fatal(err)
	}
	return problem.Detail
}

// TestDetailsAreForPeople: no bad input is answered in the validator's words.
func TestDetailsAreForPeople(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	tokens := map[string]string{"member": member, "key": s.app(member, "chat")}
	machine := regexp.MustCompile(`regular expression|int32|int64|\de[+]\d|\^\[|value must|string length|JSON schema`)
	for _, c := range badInputs {
		var body any
		if c.body != "" {
			body = c.body
		}
		got := s.call(c.method, c.path, tokens[c.as], body)
		if found := machine.FindString(string(got.text)); found != "" {
			t.Errorf("%s: %q in %s", c.name, found, got.text)
		}
	}
}

// TestExampleProblem: the documentation shows what the server says.
func TestExampleProblem(t *testing.T) {
	s := newServer(t)
	got := s.call("POST", "/v1/signup", "", `{"organization":"acme","email":"ana@example.com","password":"short"}`)
	said := got.want(t, 422)
	page, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```json\n")
	text, _, _ = strings.Cut(text, "```")
	var shown map[string]any
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatal(err)
	}
	shown["request_id"] = said["request_id"]
	want, _ := json.Marshal(said)
	if have, _ := json.Marshal(shown); string(have) != string(want) {
		t.Errorf("docs/errors.md shows %s, the server says %s", have, want)
	}
	if line := "detail: " + said["detail"].(string); !strings.Contains(fanfare.OpenAPI, line) {
		t.Errorf("openapi.yaml does not show %q", line)
	}
}
