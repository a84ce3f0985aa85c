// Package fanfare holds the description of Fanfare's HTTP API, for whatever
// serves it or checks against it.
package fanfare

import _ "embed" // for the description

// OpenAPI is openapi.yaml, the single truth about the HTTP API.
//
//go:embed openapi.yaml
var OpenAPI string
