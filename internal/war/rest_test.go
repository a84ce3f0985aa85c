package war_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/fanfare-mq/fanfare"
)

// restAPI is what openapi.yaml says there is.
type restAPI struct {
	operations []restOperation
	owners     *owners
}

type restOperation struct {
	method, path string
	params       []*openapi3.Parameter // of the path
	example      any                   // of the body; nil: none
}

// readAPI reads the description. Operations that come later are part of the war
// as soon as they are described.
func readAPI() (*restAPI, error) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(fanfare.OpenAPI))
	if err != nil {
		return nil, err
	}
	a := &restAPI{owners: newOwners()}
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Find(path)
		for method, op := range item.Operations() {
			o := restOperation{method: method, path: path}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				if p.Value.In == "path" {
					o.params = append(o.params, p.Value)
				}
			}
			if op.RequestBody != nil {
				o.example = exampleOf(op.RequestBody.Value.Content.Get("application/json"))
			}
			a.operations = append(a.operations, o)
		}
	}
	slices.SortFunc(a.operations, func(x, y restOperation) int {
		return strings.Compare(x.path+" "+x.method, y.path+" "+y.method)
	})
	return a, nil
}

func exampleOf(media *openapi3.MediaType) any {
	switch {
	case media == nil:
		return nil
	case media.Example != nil:
		return media.Example
	case media.Schema != nil && media.Schema.Value.Example != nil:
		return media.Schema.Value.Example
	}
	for _, example := range media.Examples {
		return example.Value.Value
	}
	return object{}
}

// ask sends a request and looks at the answer.
func (q *squad) ask(with *caller, method, path string, body []byte) (answer, bool) {
	q.note("%s %s %s", method, path, body)
	a, err := with.do(q.war.ctx, method, path, body)
	switch {
	case q.war.ctx.Err() != nil:
		return a, false
	case err != nil:
		q.war.violate("closed", "%s %s: %v", method, path, err)
		return a, false
	case a.status >= 500:
		q.war.violate("server", "%s %s %s: %d %s", method, path, body, a.status, a.body)
		return a, false
	case a.status >= 300:
		q.war.refuse(fmt.Sprintf("HTTP %d", a.status))
	}
	if leak := q.war.api.owners.foreign(q.side.slug, string(a.body), path+string(body)); leak != "" {
		q.war.violate("crossing", "%s: %s %s %s tells of %q: %s", q.side.slug, method, path, body, leak, a.body)
		return a, false
	}
	q.war.api.owners.learn(q.side, string(a.body))
	return a, true
}

// trespass calls any operation with what is the foe's in its path.
func trespass(q *squad, _ *soldier) {
	op := pickOf(q.random, q.war.api.operations)
	if len(op.params) == 0 {
		return
	}
	with, path, foreign := q.member(), op.path, false
	for _, p := range op.params {
		value, theirs := q.foreignValue(p, len(op.params) > 1)
		path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		foreign = foreign || theirs
	}
	if !foreign {
		return
	}
	if q.random.IntN(2) == 0 {
		with = q.api.with(q.side.keys[pickOf(q.random, q.side.apps())].bearer)
	}
	a, ok := q.ask(with, op.method, path, q.body(op.example, true))
	if ok && a.status < 300 {
		q.war.violate("crossing", "%s: %s %s: %d %s", q.side.slug, op.method, path, a.status, a.body)
	}
}

// stray calls any operation of an app with another app's key.
func stray(q *squad, _ *soldier) {
	op := pickOf(q.random, q.war.api.operations)
	apps := q.side.apps()
	holder, app := pickOf(q.random, apps), pickOf(q.random, apps)
	if holder == app || !strings.Contains(op.path, "{app}") {
		return
	}
	path := strings.ReplaceAll(op.path, "{app}", app)
	for _, p := range op.params {
		if p.Name == "app" {
			continue
		}
		value, _ := q.foreignValue(p, true)
		path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
	}
	a, ok := q.ask(q.api.with(q.side.keys[holder].bearer), op.method, path, q.body(op.example, true))
	if ok && a.status < 300 {
		q.war.violate("crossing", "%s: a key of %s: %s %s: %d %s", q.side.slug, holder, op.method, path, a.status, a.body)
	}
}

// undermine makes a rule about what is the foe's.
func undermine(q *squad, _ *soldier) {
	topic := pickOf(q.random, q.foreignFilters())
	if inside(q.side.slug, strings.ReplaceAll(topic, "${org}", q.side.slug)) {
		return
	}
	body, err := json.Marshal(object{"rules": []object{
		{"effect": "allow", "action": "all", "topic": topic, "who": object{"everyone": true}},
	}})
	if err != nil {
		return
	}
	a, ok := q.ask(q.member(), http.MethodPut, "/v1/apps/"+paper+"/acl", body)
	if ok && a.status < 300 {
		q.war.violate("crossing", "%s makes a rule about %q: %d %s", q.side.slug, topic, a.status, a.body)
	}
}

// rise asks for credentials above the wall.
func rise(q *squad, _ *soldier) {
	name := fmt.Sprintf("riser-%d", q.count)
	q.count++
	method, path, in := http.MethodPost, "/v1/apps/"+paper, object{}
	switch q.random.IntN(3) {
	case 0:
		path, in = path+"/api-keys", object{"name": name, "scopes": []string{"push"}, "across": true}
	case 1:
		path, in = path+"/logins", object{"username": name, "password": q.side.loginPassword(), "user": name, "super": true}
	case 2:
		method, path, in = http.MethodPatch, "/v1/apps/"+chat+"/logins/meter", object{"super": true}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return
	}
	if a, ok := q.ask(q.member(), method, path, body); ok && a.status < 300 {
		q.war.violate("crossing", "%s is above the wall: %s %s: %d %s", q.side.slug, method, path, a.status, a.body)
	}
}

func (q *squad) member() *caller { return q.api.with(q.side.member.bearer) }

// foreignValue is a value of a path's parameter, and whether it is the foe's alone.
func (q *squad) foreignValue(p *openapi3.Parameter, others bool) (value string, theirs bool) {
	switch {
	case p.Name == "app" && others && q.random.IntN(2) == 0:
		return pickOf(q.random, []string{chat, stock, paper}), false
	case p.Name == "app":
		return q.foe.only, true
	case strings.Contains(p.Name, "org"):
		return q.foe.slug, true
	case p.Name == "login":
		return "meter", false
	case p.Name == "user":
		return q.name("ana"), false
	}
	if id := q.foe.anyID(q.random.IntN); id != "" {
		return id, true
	}
	return "none", false
}

// body is an example, of which some texts may become the foe's.
func (q *squad) body(example any, spoilt bool) []byte {
	if example == nil {
		return nil
	}
	body := q.altered(example, spoilt)
	if m, ok := body.(object); ok {
		q.sign(m)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	return data
}

// sign marks what may become a message.
func (q *squad) sign(body object) {
	q.count++
	text := mark{q.side.slug, "any", "backend", fmt.Sprint(q.count)}.String()
	if _, ok := body["payload"]; ok {
		delete(body, "encoding")
		body["payload"] = text
	}
	if n, ok := body["notification"].(object); ok {
		n["title"] = text
	}
}

// altered is a copy.
func (q *squad) altered(v any, spoilt bool) any {
	switch v := v.(type) {
	case map[string]any:
		m := object{}
		for key, value := range v {
			m[key] = q.altered(value, spoilt)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = q.altered(value, spoilt)
		}
		return list
	case string:
		if spoilt && q.random.IntN(4) == 0 {
			return pickOf(q.random, []string{
				q.foe.slug, q.foe.slug + "/chat/room/0/b", q.foe.only, q.foe.anyID(q.random.IntN), "owner@" + q.foe.slug + ".example", q.name("ana"),
			})
		}
	}
	return v
}

// inspect calls any operation on what is the own organization's: reading
// anywhere, writing to the app of which nobody has a device.
func inspect(q *squad, _ *soldier) {
	op := pickOf(q.random, q.war.api.operations)
	path, own := op.path, false
	for _, p := range op.params {
		var value string
		switch {
		case p.Name == "app" && op.method == http.MethodGet:
			value = pickOf(q.random, []string{chat, stock, paper, q.side.only})
		case p.Name == "app":
			value, own = paper, true
		case p.Name == "login":
			value = "meter"
		case p.Name == "user":
			value = q.name("ana")
		default:
			value = q.side.anyID(q.random.IntN)
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
	}
	if op.method != http.MethodGet && !own || path == "/v1/apps/"+paper && op.method == http.MethodDelete {
		return
	}
	if strings.HasSuffix(op.path, "/logins") && op.method == http.MethodPost {
		return // each costs a password hash: see correspond
	}
	q.ask(q.member(), op.method, path, q.body(op.example, false))
}

// broadcast is a message of the own backend, to topics of its own or of the foe.
func broadcast(q *squad, _ *soldier) {
	key := q.api.with(q.side.keys[chat].bearer)
	full := fmt.Sprintf("%s/chat/room/%d/%s", q.side.slug, q.number, pickOf(q.random, corners))
	if q.random.IntN(3) == 0 {
		full = pickOf(q.random, q.foreignNames())
	}
	m := mark{q.side.slug, chat, "backend", fmt.Sprint(q.count)}
	q.count++
	qos := byte(q.random.IntN(3))
	body, err := json.Marshal(object{"topic": full, "payload": "war " + m.String(), "qos": qos, "retain": q.random.IntN(8) == 0})
	if err != nil {
		return
	}
	own := inside(q.side.slug, full)
	q.mu.Lock()
	if own && !strings.Contains(full, "\t") {
		q.expect(&pub{text: m.String(), asked: true}, full, qos)
	}
	q.mu.Unlock()
	a, ok := q.ask(key, http.MethodPost, "/v1/apps/chat/publish", body)
	switch {
	case !ok:
	case a.status < 300 && !own:
		q.war.violate("crossing", "%s publishes to %q: %d %s", q.side.slug, full, a.status, a.body)
	case a.status >= 300 && own && !strings.Contains(full, "\t"): // the API takes no control characters
		q.war.violate("refused", "%s may publish to %q: %d %s", q.side.slug, full, a.status, a.body)
	}
}

// push is a notification of the own backend.
func push(q *squad, _ *soldier) {
	key := q.api.with(q.side.keys[chat].bearer)
	m := mark{q.side.slug, chat, "backend", fmt.Sprint(q.count)}
	q.count++
	full := fmt.Sprintf("%s/chat/users/%s", q.side.slug, q.name("ana"))
	body, err := json.Marshal(object{"to": object{"user": q.name("ana")}, "notification": object{"title": "war", "body": m.String()}})
	if err != nil {
		return
	}
	q.mu.Lock()
	q.expect(&pub{text: m.String(), asked: true}, full, 1)
	q.mu.Unlock()
	if a, ok := q.ask(key, http.MethodPost, "/v1/apps/chat/push", body); ok && a.status != http.StatusAccepted {
		q.war.violate("refused", "%s may push: %d %s", q.side.slug, a.status, a.body)
	}
}

// correspond changes a login that has the name of the twin's, and wants it to be
// what the squad has made of it.
func correspond(q *squad, _ *soldier) {
	name := fmt.Sprintf("clerk-%d", q.number)
	path := "/v1/apps/" + paper + "/logins"
	role, there := q.papers[name]
	switch {
	case !there && q.random.IntN(4) > 0:
		q.expectStatus(http.MethodGet, path+"/"+name, nil, http.StatusNotFound)
	case !there:
		q.papers[name] = q.side.slug
		q.expectStatus(http.MethodPost, path, object{
			"username": name, "password": q.side.loginPassword(), "user": "clerk", "role": q.side.slug,
		}, http.StatusCreated)
	case q.random.IntN(12) == 0:
		delete(q.papers, name)
		q.expectStatus(http.MethodDelete, path+"/"+name, nil, http.StatusNoContent)
	case q.random.IntN(2) == 0:
		q.count++
		q.papers[name] = fmt.Sprintf("%s-%d", q.side.slug, q.count)
		q.expectStatus(http.MethodPatch, path+"/"+name, object{"role": q.papers[name]}, http.StatusOK)
	default:
		a, ok := q.expectStatus(http.MethodGet, path+"/"+name, nil, http.StatusOK)
		var login struct{ Role string }
		if ok && (json.Unmarshal(a.body, &login) != nil || login.Role != role) {
			q.war.violate("crossing", "%s: the login %s has the role %q, not %q", q.side.slug, name, login.Role, role)
		}
	}
}

func (q *squad) expectStatus(method, path string, in any, want int) (answer, bool) {
	var body []byte
	if in != nil {
		body, _ = json.Marshal(in)
	}
	a, ok := q.ask(q.member(), method, path, body)
	if ok && a.status != want {
		q.war.violate("crossing", "%s: %s %s: %d %s, not %d: somebody else has changed it", q.side.slug, method, path, a.status, a.body, want)
		return a, false
	}
	return a, ok
}

// slugWord finds the slugs in a text.
var (
	slugWord = regexp.MustCompile(`[a-z0-9-]*[a-z0-9]`)
	idWord   = regexp.MustCompile(`[a-z]{2,6}_[0-9A-Z]{26}`)
)
