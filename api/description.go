package api

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/fanfare-mq/fanfare"
	"github.com/fanfare-mq/fanfare/tenant"
)

// The names of the security schemes, and of our extensions, in openapi.yaml.
const (
	memberScheme   = "member"
	apiKeyScheme   = "apiKey"
	operatorScheme = "operator"

	scopeExtension    = "x-required-scope"
	maxBodyExtension  = "x-max-body-bytes"
	roleExtension     = "x-required-role"
	stepUpExtension   = "x-step-up"
	operatorExtension = "x-operator"
)

// operation is what openapi.yaml says about one operation.
type operation struct {
	method, path string // path as a template
	route        *routers.Route
	public       bool         // no credentials wanted
	members      bool         // members may call it
	keys         bool         // API keys may call it
	masterKey    bool         // whoever has the master key may call it
	operator     bool         // of members, those of the operator's organization alone may call it
	scope        tenant.Scope // what the credentials must have, or empty
	role         tenant.Role  // what a member must be, or empty
	stepUp       bool         // a member must have given the password of late
	maxBody      int64        // bytes
	body         *openapi3.Schema
}

var scopes = []tenant.Scope{tenant.ScopePush, tenant.ScopeRead, tenant.ScopeManage}

// description is openapi.yaml, cut to a surface and ready for look-ups.
type description struct {
	router     routers.Router
	operations map[*openapi3.Operation]*operation
}

// describe reads openapi.yaml.
func describe(surface Surface) (*description, error) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(fanfare.OpenAPI))
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	surface.cut(doc)
	doc.Servers = nil // any host and scheme may lead here
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	d := &description{router: router, operations: map[*openapi3.Operation]*operation{}}
	for path, item := range doc.Paths.Map() {
		for method, described := range item.Operations() {
			op, err := newOperation(doc, method, path, described)
			if err != nil {
				return nil, fmt.Errorf("openapi.yaml: %s: %w", described.OperationID, err)
			}
			op.route = &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: described}
			d.operations[described] = op
		}
	}
	return d, nil
}

func newOperation(doc *openapi3.T, method, path string, described *openapi3.Operation) (*operation, error) {
	op := &operation{method: method, path: path}
	security := doc.Security
	if described.Security != nil {
		security = *described.Security
	}
	op.public = len(security) == 0
	for _, requirement := range security {
		_, member := requirement[memberScheme]
		_, key := requirement[apiKeyScheme]
		_, master := requirement[operatorScheme]
		op.members, op.keys, op.masterKey = op.members || member, op.keys || key, op.masterKey || master
	}
	if scope, ok := described.Extensions[scopeExtension]; ok {
		name, _ := scope.(string)
		if op.scope = tenant.Scope(name); !slices.Contains(scopes, op.scope) {
			return nil, fmt.Errorf("%s: %v is no scope", scopeExtension, scope)
		}
	}
	if err := op.limitMembers(described); err != nil || described.RequestBody == nil {
		return op, err
	}
	return op, op.limitBody(described)
}

// limitMembers reads what is asked of members alone.
func (op *operation) limitMembers(described *openapi3.Operation) error {
	if role, ok := described.Extensions[roleExtension]; ok {
		name, _ := role.(string)
		if op.role = tenant.Role(name); op.role != tenant.Owner && op.role != tenant.Admin {
			return fmt.Errorf("%s: %v is no role", roleExtension, role)
		}
	}
	for extension, to := range map[string]*bool{stepUpExtension: &op.stepUp, operatorExtension: &op.operator} {
		value, ok := described.Extensions[extension]
		if !ok {
			continue
		}
		if *to, ok = value.(bool); !ok {
			return fmt.Errorf("%s: %v is not true or false", extension, value)
		}
	}
	return nil
}

// limitBody reads what a body must be.
func (op *operation) limitBody(described *openapi3.Operation) error {
	limit, ok := described.Extensions[maxBodyExtension].(float64)
	if !ok || limit < 1 {
		return fmt.Errorf("a body without %s", maxBodyExtension)
	}
	op.maxBody = int64(limit)
	media := described.RequestBody.Value.Content.Get(jsonType)
	if media == nil || media.Schema == nil {
		return fmt.Errorf("a body that is not %s", jsonType)
	}
	op.body = media.Schema.Value
	return nil
}

// find returns the operation that a request asks for and the values of its
// path's parameters, or routers.ErrPathNotFound or routers.ErrMethodNotAllowed.
func (d *description) find(r *http.Request) (*operation, map[string]string, error) {
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		return nil, nil, err
	}
	return d.operations[route.Operation], params, nil
}

// methods returns the methods that the request's path has.
func (d *description) methods(r *http.Request) []string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, _, err := d.router.FindRoute(probe); err == nil {
			methods = append(methods, method)
		}
	}
	return methods
}
