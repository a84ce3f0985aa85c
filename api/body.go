package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/fanfare-mq/fanfare/fault"
)

const (
	jsonType = "application/json"
	// maxDepth is how deep a body may nest: far more than any notification
	// needs, far less than what costs a stack.
	maxDepth = 64
)

// readBody returns the request's body once it is JSON that follows the
// operation's schema.
func readBody(w http.ResponseWriter, r *http.Request, op *operation) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, op.maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, fault.Newf(fault.PayloadTooLarge, "the body may have at most %d bytes", op.maxBody)
	}
	if err != nil {
		return nil, fault.Wrap(fault.MalformedJSON, "the body ended early", err)
	}
	if len(data) == 0 {
		return nil, fault.New(fault.MalformedJSON, "the body is empty")
	}
	if err := checkMedia(r.Header); err != nil {
		return nil, err
	}
	value, err := decode(data)
	if err != nil {
		return nil, err
	}
	err = op.body.VisitJSON(value, openapi3.VisitAsRequest(), openapi3.MultiErrors())
	if err := schemaFaults(err); err != nil {
		return nil, err
	}
	return data, nil
}

func checkMedia(header http.Header) error {
	if e := header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return fault.New(fault.UnsupportedMedia, "a body with a Content-Encoding is not supported")
	}
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || media != jsonType {
		return fault.New(fault.UnsupportedMedia, "send the header Content-Type: application/json")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return fault.New(fault.UnsupportedMedia, "JSON is UTF-8")
	}
	return nil
}

// decode is stricter than encoding/json where leniency would let a body mean
// two things: it refuses invalid UTF-8 and repeated names.
func decode(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, fault.New(fault.MalformedJSON, "the body is not UTF-8")
	}
	if !json.Valid(data) {
		return nil, fault.Newf(fault.MalformedJSON, "the body is not JSON%s", where(data))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return decodeValue(dec, 0)
}

// where says at which byte the JSON breaks.
func where(data []byte) string {
	var value json.RawMessage
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, &value)); ok {
		return ": " + syntax.Error()
	}
	return ""
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fault.Newf(fault.Invalid, "the body nests deeper than %d levels", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, fault.Wrap(fault.MalformedJSON, "the body is not JSON", err)
	}
	switch token {
	case json.Delim('{'):
		return decodeObject(dec, depth)
	case json.Delim('['):
		return decodeArray(dec, depth)
	default:
		return token, nil
	}
}

func decodeObject(dec *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, fault.Wrap(fault.MalformedJSON, "the body is not JSON", err)
		}
		name, _ := token.(string) // the decoder takes nothing else here
		if _, repeated := object[name]; repeated {
			return nil, fault.Newf(fault.MalformedJSON, "the body repeats the name %q", cut(name, 100))
		}
		if object[name], err = decodeValue(dec, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token() // the closing brace, valid as all of data is
	return object, err
}

func decodeArray(dec *json.Decoder, depth int) (any, error) {
	array := []any{}
	for dec.More() {
		value, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := dec.Token() // the closing bracket
	return array, err
}
