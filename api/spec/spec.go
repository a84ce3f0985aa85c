// Package spec holds the types and the server interface of the HTTP API, as
// generated from openapi.yaml.
package spec

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 --config=oapi-codegen.yaml ../../openapi.yaml
