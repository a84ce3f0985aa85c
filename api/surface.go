package api

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// Surface is the part of the API that one listener serves.
type Surface uint8

// The surfaces. Which operations belong to which is written in openapi.yaml:
// in their security and their tags.
const (
	// All is everything on one listener.
	All Surface = iota
	// App is what apps' backends use: messaging, and whatever else an API key
	// may call.
	App
	// Admin is what people use to manage: organizations, apps, pages; and what the
	// operator uses.
	Admin
)

// The tags of operations.
const (
	managementTag = "Management"
	operationTag  = "Operation"
	messagingTag  = "Messaging"
	healthTag     = "Health"
)

// serves says whether the surface has an operation with these tags, which
// accepts an API key or does not.
func (s Surface) serves(tags []string, keys bool) bool {
	switch {
	case s == All || slices.Contains(tags, healthTag):
		return true
	case s == Admin:
		return slices.Contains(tags, managementTag) || slices.Contains(tags, operationTag)
	default:
		return keys || slices.Contains(tags, messagingTag)
	}
}

// takesKeys says whether an API key may call an operation.
func takesKeys(doc *openapi3.T, operation *openapi3.Operation) bool {
	security := doc.Security
	if operation.Security != nil {
		security = *operation.Security
	}
	return slices.ContainsFunc(security, func(r openapi3.SecurityRequirement) bool {
		_, ok := r[apiKeyScheme]
		return ok
	})
}

// hasPages says whether the surface has the pages for people.
func (s Surface) hasPages() bool { return s != App }

// cut takes the operations that the surface does not serve out of doc.
func (s Surface) cut(doc *openapi3.T) {
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !s.serves(operation.Tags, takesKeys(doc, operation)) {
				item.SetOperation(method, nil)
			}
		}
		if len(item.Operations()) == 0 {
			doc.Paths.Delete(path)
		}
	}
}
