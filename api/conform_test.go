package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/fanfare-mq/fanfare"
)

type described struct {
	doc    *openapi3.T
	router routers.Router
}

// description is openapi.yaml as it is written, read once.
var description = sync.OnceValues(func() (described, error) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(fanfare.OpenAPI))
	if err != nil {
		return described{}, err
	}
	router, err := gorillamux.NewRouter(doc)
	return described{doc: doc, router: router}, err
})

// checkResponse holds a response against openapi.yaml: status, headers and
// body must be described, and every error must be a problem.
func checkResponse(t testing.TB, r *http.Request, got answer) {
	t.Helper()
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("X-Request-Id") == "" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s: headers %v", r.Method, r.URL.Path, got.Header)
	}
	if got.StatusCode >= 400 && got.Header.Get("Content-Type") == "application/problem+json" {
		checkProblem(t, d.doc, r, got)
	} else if got.StatusCode >= 400 && r.URL.Path != "/readyz" {
		t.Errorf("%s %s: %d is no problem: %s", r.Method, r.URL.Path, got.StatusCode, got.text)
	}
	route, params, err := d.router.FindRoute(r)
	absent := got.StatusCode == http.StatusNotFound || got.StatusCode == http.StatusMethodNotAllowed
	if err != nil || absent && route.Operation.Responses.Status(got.StatusCode) == nil {
		return // not an operation, or not on this surface
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route, PathParams: params},
		Status:                 got.StatusCode, Header: got.Header, Body: io.NopCloser(bytes.NewReader(got.text)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	if err != nil {
		t.Errorf("%s %s: the answer %d %s is not as described: %v", r.Method, r.URL.Path, got.StatusCode, got.text, err)
	}
}

func checkProblem(t testing.TB, doc *openapi3.T, r *http.Request, got answer) {
	t.Helper()
	var problem map[string]any
	if err := json.Unmarshal(got.text, &problem); err != nil {
		t.Fatalf("problem %s: %v", got.text, err)
	}
	err := doc.Components.Schemas["Problem"].Value.VisitJSON(problem, openapi3.VisitAsResponse())
	if err != nil || problem["status"] != float64(got.StatusCode) || problem["request_id"] != got.Header.Get("X-Request-Id") ||
		!strings.HasSuffix(problem["type"].(string), "#"+problem["code"].(string)) {
		t.Errorf("%s %s: problem %s: %v", r.Method, r.URL.Path, got.text, err)
	}
	if got.StatusCode == http.StatusUnauthorized && got.Header.Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
}

func TestDescriptionIsValid(t *testing.T) {
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			checkOperation(t, method+" "+path, op)
		}
	}
	for name, schema := range d.doc.Components.Schemas {
		bounded(t, name, schema.Value, !open[name])
	}
}

func checkOperation(t *testing.T, name string, op *openapi3.Operation) {
	t.Helper()
	if op.OperationID == "" || op.Summary == "" || op.Description == "" || len(op.Tags) == 0 {
		t.Errorf("%s: not described", name)
	}
	public := op.Security != nil && len(*op.Security) == 0
	want := []int{http.StatusInternalServerError}
	if !public {
		want = append(want, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable)
	}
	if op.RequestBody != nil {
		want = append(want, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	}
	for _, status := range want {
		if r := op.Responses.Status(status); r == nil || r.Value.Content.Get("application/problem+json") == nil {
			t.Errorf("%s: no problem for %d", name, status)
		}
	}
}

// open are the schemas whose further fields are somebody else's: what an app
// tells its devices, and members of a JWK that RFC 7517 §4 has ignored.
var open = map[string]bool{"Notification": true, "PublicKeyJWK": true}

// bounded wants a limit on every string, array and map, and no unknown fields.
func bounded(t *testing.T, name string, s *openapi3.Schema, closed bool) {
	t.Helper()
	switch {
	case s.Type.Is("string") && s.MaxLength == nil && len(s.Enum) == 0 && s.Format != "date-time":
		t.Errorf("%s: a string without maxLength", name)
	case s.Type.Is("array"):
		if s.MaxItems == nil {
			t.Errorf("%s: an array without maxItems", name)
		}
		bounded(t, name+"[]", s.Items.Value, closed)
	case s.Type.Is("object"):
		if free := s.AdditionalProperties.Has == nil || *s.AdditionalProperties.Has; free && s.MaxProps == nil ||
			free && closed && s.AdditionalProperties.Schema == nil {
			t.Errorf("%s: an object that takes anything", name)
		}
		for field, p := range s.Properties {
			bounded(t, name+"."+field, p.Value, closed && !open[path.Base(p.Ref)])
		}
	}
}

// The examples are what people copy: they must be right.
func TestExamplesAreValid(t *testing.T) {
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	var faults []error
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			media := op.RequestBody.Value.Content.Get("application/json")
			examples := []any{media.Example}
			for _, e := range media.Examples {
				examples = append(examples, e.Value.Value)
			}
			for _, e := range examples {
				if e == nil {
					continue
				}
				if err := media.Schema.Value.VisitJSON(e, openapi3.VisitAsRequest()); err != nil {
					faults = append(faults, errors.New(method+" "+path+": "+err.Error()))
				}
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		t.Error(err)
	}
}
