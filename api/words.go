package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// detailExtension, in openapi.yaml, says what a string must be where its
// schema alone would say it in a regular expression.
const detailExtension = "x-detail"

// schemaDetail says in words what a value should have been. The validator's
// own reasons are not for people: they quote regular expressions and write
// numbers as 2.592e+06.
func schemaDetail(e *openapi3.SchemaError) string {
	s := e.Schema
	switch e.SchemaField {
	case "required":
		return "is required"
	case "readOnly":
		return "is given by the server"
	case "nullable":
		return "must not be null"
	case "type":
		return typeDetail(s)
	case "enum":
		return "must be " + alternatives(s.Enum)
	case "minLength", "maxLength", "pattern", "format":
		return textDetail(s)
	case "minimum", "maximum":
		return rangeDetail(e.SchemaField, s)
	case "minItems", "maxItems":
		return "must have " + between(s.MinItems, s.MaxItems, "item")
	case "uniqueItems":
		return "must not hold the same item twice"
	case "minProperties", "maxProperties":
		return "must have " + between(s.MinProps, s.MaxProps, "field")
	default:
		return "is not what the API description asks for"
	}
}

// kinds are the types of JSON in words.
var kinds = map[string]string{
	openapi3.TypeString: "text", openapi3.TypeInteger: "a whole number", openapi3.TypeNumber: "a number",
	openapi3.TypeBoolean: "true or false", openapi3.TypeArray: "a list", openapi3.TypeObject: "an object",
}

func typeDetail(s *openapi3.Schema) string {
	if types := s.Type.Slice(); len(types) == 1 && kinds[types[0]] != "" {
		return "must be " + kinds[types[0]]
	}
	return "is of the wrong type"
}

// textDetail is about strings, and about formats of numbers, which only say
// how many bits they have.
func textDetail(s *openapi3.Schema) string {
	if detail, ok := s.Extensions[detailExtension].(string); ok {
		return detail
	}
	switch {
	case s.Min != nil && s.Max != nil:
		return "must be " + decimal(*s.Min) + " to " + decimal(*s.Max)
	case s.Type.Is(openapi3.TypeInteger), s.Type.Is(openapi3.TypeNumber):
		return "is out of range"
	case s.Format == "date-time":
		return "must be a time such as 2030-01-31T12:00:00Z"
	case s.Format == "email":
		return "must be an e-mail address such as ana@example.com"
	case s.Pattern == "" && (s.MinLength > 0 || s.MaxLength != nil):
		return "must have " + between(s.MinLength, s.MaxLength, "character")
	default:
		return "does not have the right form"
	}
}

func rangeDetail(field string, s *openapi3.Schema) string {
	if field == "minimum" && s.Min != nil {
		return "must be at least " + decimal(*s.Min)
	}
	if s.Max != nil {
		return "must be at most " + decimal(*s.Max)
	}
	return "is out of range"
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// between is a count with its bounds.
func between(low uint64, high *uint64, noun string) string {
	switch {
	case high == nil:
		return fmt.Sprintf("at least %d %s", low, plural(noun, low))
	case low == *high:
		return fmt.Sprintf("exactly %s %s", count(low), plural(noun, low))
	case low == 0:
		return fmt.Sprintf("at most %d %s", *high, plural(noun, *high))
	default:
		return fmt.Sprintf("%d to %d %s", low, *high, plural(noun, *high))
	}
}

func count(n uint64) string {
	if n == 1 {
		return "one"
	}
	return strconv.FormatUint(n, 10)
}

func plural(noun string, n uint64) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// alternatives lists values as they are written in JSON.
func alternatives(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		text, _ := json.Marshal(v) // it came from a document
		words[i] = string(text)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// predicates begin the messages that are said of their field. The others are
// whole sentences, and have a subject of their own.
var predicates = []string{"must ", "is ", "has ", "may ", "does ", "contains "}

// about puts the name of a field before a message that says something of it.
func about(name, message string) string {
	for _, p := range predicates {
		if strings.HasPrefix(message, p) {
			return strings.TrimSpace(name + " " + message)
		}
	}
	return message
}

// fieldName is a JSON pointer as people write it: rules[0].topic.
func fieldName(pointer string) string {
	var name strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = pointerUnescapes.Replace(part)
		if _, err := strconv.ParseUint(part, 10, 32); err == nil {
			name.WriteString("[" + part + "]")
			continue
		}
		if name.Len() > 0 {
			name.WriteByte('.')
		}
		name.WriteString(part)
	}
	return name.String()
}

var pointerUnescapes = strings.NewReplacer("~1", "/", "~0", "~") // RFC 6901 §4
