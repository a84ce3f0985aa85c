package api

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// Surface is the part of the API that one listener serves.
type Surface uint8

// The surfaces. Which operations belong to which is written in openapi.yaml,
// as their tags.
const (
	// All is everything on one listener.
	All Surface = iota
	// App is what apps' backends use: messaging.
	App
	// Admin is what people use to manage: organizations, apps, pages.
	Admin
)

// The tags of operations.
const (
	managementTag = "Management"
	messagingTag  = "Messaging"
	healthTag     = "Health"
)

// serves says whether the surface has an operation with these tags.
func (s Surface) serves(tags []string) bool {
	if s == All || slices.Contains(tags, healthTag) {
		return true
	}
	want := messagingTag
	if s == Admin {
		want = managementTag
	}
	return slices.Contains(tags, want)
}

// hasPages says whether the surface has the pages for people.
func (s Surface) hasPages() bool { return s != App }

// cut takes the operations that the surface does not serve out of doc.
func (s Surface) cut(doc *openapi3.T) {
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !s.serves(operation.Tags) {
				item.SetOperation(method, nil)
			}
		}
		if len(item.Operations()) == 0 {
			doc.Paths.Delete(path)
		}
	}
}
