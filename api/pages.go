package api

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"github.com/fanfare-mq/fanfare"
	"github.com/fanfare-mq/fanfare/web"
)

// landingPolicy lets the first page load its own style and icon, nothing else.
const landingPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages adds what is for people and tools and no operation.
func (a *API) pages(root chi.Router) error {
	root.Get("/openapi.yaml", static("application/yaml", "", []byte(fanfare.OpenAPI)))
	if !a.cfg.Surface.hasPages() {
		return nil
	}
	landing, err := a.landing()
	if err != nil {
		return err
	}
	root.Get("/", static("text/html; charset=utf-8", landingPolicy, landing))
	root.Get("/style.css", static("text/css; charset=utf-8", "", web.Style))
	root.Get("/icon.svg", static("image/svg+xml", "", web.Icon))
	return reference(root)
}

// landing renders the first page, which is the same for everybody.
func (a *API) landing() ([]byte, error) {
	page, err := template.New("landing").Parse(web.Landing)
	if err != nil {
		return nil, fmt.Errorf("landing page: %w", err)
	}
	mqtt, err := url.Parse(cmp.Or(a.cfg.PublicMQTT, a.cfg.PublicMQTTS))
	if err != nil {
		return nil, fmt.Errorf("public MQTT address: %w", err)
	}
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{
		"HTTP": a.cfg.PublicHTTP, "Admin": a.cfg.PublicAdmin,
		"MQTT": a.cfg.PublicMQTT, "MQTTS": a.cfg.PublicMQTTS, "WS": a.cfg.PublicWS, "WSS": a.cfg.PublicWSS,
		"Host": cmp.Or(mqtt.Hostname(), "$MQTT_HOST"), "Port": mqtt.Port(), "TLS": a.cfg.PublicMQTT == "" && a.cfg.PublicMQTTS != "",
		"SignupClosed": a.cfg.SignupClosed,
	})
	if err != nil {
		return nil, fmt.Errorf("landing page: %w", err)
	}
	return b.Bytes(), nil
}

// static serves bytes that are known from the start. An empty policy keeps the
// strictest.
func static(contentType, policy string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header.Set("Content-Type", contentType)
		header.Set("Cache-Control", "no-cache") // they change with the binary
		if policy != "" {
			header.Set("Content-Security-Policy", policy)
		}
		_, _ = w.Write(body) // an error means that the client has gone
	}
}
