package cli_test

import "testing"

// TestLastUseOutlivesAStop: what was used within the last seconds is kept when
// the server stops.
func TestLastUseOutlivesAStop(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first := serve(t, serveArgs(folder)...)
	acme := found(t, first, "acme")
	acme.push(t, "ana", "Hello")
	if code := first.stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	acme = acme.at(serve(t, serveArgs(folder)...))
	page, err := acme.api.With(acme.app.APIKey.Secret).APIKeys(t.Context(), "chat", "")
	if err != nil {
		t.Fatal(err)
	}
	key := page.Items[0]
	if len(page.Items) != 1 || key.LastUsedAt == nil || key.LastUsedAt.Before(key.CreatedAt) || key.LastUsedFrom == nil || *key.LastUsedFrom != "127.0.0.1" {
		t.Errorf("it was last used at %v: %+v", key.LastUsedAt, key)
	}
}
