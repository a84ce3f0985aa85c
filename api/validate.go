package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/fault"
)

// validateParameters checks path, query and headers. A path that cannot name
// anything names nothing.
func validateParameters(r *http.Request, op *operation, params map[string]string) error {
	err := openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: op.route,
		Options: &openapi3filter.Options{
			ExcludeRequestBody:  true,
			MultiError:          true,
			SkipSettingDefaults: true,
			AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc, // done before
		},
	})
	var faults []error
	for _, leaf := range flatten(err) {
		invalid, ok := errors.AsType[*openapi3filter.RequestError](leaf)
		switch {
		case !ok || invalid.Parameter == nil:
			return fmt.Errorf("validate parameters: %w", leaf)
		case invalid.Parameter.In == openapi3.ParameterInPath:
			return fault.New(fault.NotFound, "there is nothing at this path")
		}
		f := fault.New(fault.Invalid, parameterDetail(invalid))
		faults = append(faults, parameterError{error: f, parameter: invalid.Parameter.Name})
	}
	return errors.Join(faults...)
}

func parameterDetail(invalid *openapi3filter.RequestError) string {
	leaves := flatten(invalid.Err)
	if len(leaves) > 0 {
		if schema, ok := errors.AsType[*openapi3.SchemaError](leaves[0]); ok {
			return schemaDetail(schema)
		}
	}
	return typeDetail(invalid.Parameter.Schema.Value)
}

// schemaFaults turns what the validator found in a body into faults with
// JSON pointers, one for each field: a value that breaks two rules is still
// one to mend.
func schemaFaults(err error) error {
	var faults []error
	seen := map[string]bool{}
	for _, leaf := range flatten(err) {
		schema, ok := errors.AsType[*openapi3.SchemaError](leaf)
		if !ok {
			return fmt.Errorf("validate the body: %w", leaf)
		}
		path, detail := schema.JSONPointer(), schemaDetail(schema)
		if name, ok := unknownName(schema.Reason); ok && schema.SchemaField == "properties" {
			path, detail = append(path, name), "is not a known field"
		}
		if len(path) == 0 {
			detail = "the body " + detail
		}
		at := pointer(path)
		if seen[at] {
			continue
		}
		seen[at] = true
		faults = append(faults, fault.New(fault.Invalid, detail).At(at))
	}
	return errors.Join(faults...)
}

// unknownName reads the field's name out of the validator's reason, the only
// place that has it.
func unknownName(reason string) (string, bool) {
	quoted, ok := strings.CutPrefix(reason, "property ")
	if !ok {
		return "", false
	}
	quoted, ok = strings.CutSuffix(quoted, " is unsupported")
	if !ok {
		return "", false
	}
	name, err := strconv.Unquote(quoted)
	return name, err == nil
}

// flatten returns the single errors of the validator's nested lists.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	list, ok := err.(openapi3.MultiError) //nolint:errorlint // one link at a time
	if !ok {
		if request, ok := err.(*openapi3filter.RequestError); ok { //nolint:errorlint // one link at a time
			return []error{request}
		}
		return []error{err}
	}
	var leaves []error
	for _, e := range list {
		leaves = append(leaves, flatten(e)...)
	}
	return leaves
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901 §3

func pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		b.WriteString(pointerEscapes.Replace(name))
	}
	return b.String()
}

// failDecoding answers a body that is valid and does not fit its Go type all
// the same, such as 1e2 for an integer.
func (a *API) failDecoding(w http.ResponseWriter, r *http.Request, err error) {
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		err = fault.Wrap(fault.Invalid, mismatchDetail(mismatch.Type), err).
			At(pointer(strings.Split(mismatch.Field, ".")))
	} else {
		err = fault.Wrap(fault.MalformedJSON, "the body cannot be read", err)
	}
	a.fail(w, r, err)
}

// mismatchDetail says what a Go type wants in JSON.
func mismatchDetail(want reflect.Type) string {
	switch {
	case want.Kind() >= reflect.Int && want.Kind() <= reflect.Uint64:
		return "must be a whole number, written with digits alone"
	case want.Kind() == reflect.String:
		return "must be text"
	default:
		return "is of the wrong type"
	}
}

// failBinding answers a parameter that is valid and does not fit its Go type,
// such as one that is repeated.
func (a *API) failBinding(w http.ResponseWriter, r *http.Request, err error) {
	name := "?"
	if e, ok := errors.AsType[*spec.InvalidParamFormatError](err); ok {
		name = e.ParamName
	} else if e, ok := errors.AsType[*spec.TooManyValuesForParamError](err); ok {
		name = e.ParamName
	}
	a.fail(w, r, parameterError{error: fault.Wrap(fault.Invalid, "does not have the right form, or is there twice", err), parameter: name})
}
