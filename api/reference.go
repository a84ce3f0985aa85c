package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// referenceFiles are what the reference page loads; they are embedded in the
// binary, so that the page works without a network.
var referenceFiles = []string{
	"swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "favicon-16x16.png", "favicon-32x32.png",
}

// reference adds the human reference of the API at /docs.
func reference(root chi.Router) error {
	handler := v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "Fanfare API", SwaggerJSON: "/openapi.yaml", BasePath: "/docs/", ShowTopBar: false,
		SettingsUI: map[string]string{"defaultModelsExpandDepth": "0", "docExpansion": `"list"`},
	})
	page, err := render(handler, "/docs/")
	if err != nil {
		return err
	}
	serve := static("text/html; charset=utf-8", referencePolicy(page), page)
	root.Get("/docs", serve)
	root.Get("/docs/", serve)
	for _, name := range referenceFiles {
		root.Get("/docs/"+name, handler.ServeHTTP)
	}
	return nil
}

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// referencePolicy permits just what the page does: its own files, the scripts
// that stand in it by their hashes, the styles it sets by script, and calls to
// this server.
func referencePolicy(page []byte) string {
	var scripts strings.Builder
	for _, match := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(match[1])
		scripts.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	}
	return "default-src 'none'; script-src 'self'" + scripts.String() + "; style-src 'self' 'unsafe-inline'; " +
		"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// render returns what a handler answers to a GET.
func render(handler http.Handler, path string) ([]byte, error) {
	w := &buffer{header: http.Header{}}
	handler.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}, Header: http.Header{}})
	if w.status != 0 && w.status != http.StatusOK {
		return nil, errors.New("the reference page cannot be rendered")
	}
	return w.Bytes(), nil
}

// buffer is a response kept in memory.
type buffer struct {
	bytes.Buffer
	header http.Header
	status int
}

func (b *buffer) Header() http.Header    { return b.header }
func (b *buffer) WriteHeader(status int) { b.status = status }
