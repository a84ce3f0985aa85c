package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/device"
	"github.com/fanfare-mq/fanfare/internal/testenv"
)

// issuerKey is the key of an issuer of device tokens.
type issuerKey struct {
	kid string
	*ecdsa.PrivateKey
}

func newIssuerKey(t *testing.T, kid string) issuerKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuerKey{kid, key}
}

// token signs a token for ana.
func (k issuerKey) token(t *testing.T) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "ana", "exp": time.Now().Add(time.Hour).Unix()})
	token.Header["kid"] = k.kid
	text, err := token.SignedString(k.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (k issuerKey) publicPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// jwks is a document with the public keys.
func jwks(t *testing.T, keys ...issuerKey) string {
	t.Helper()
	var texts []string
	for _, k := range keys {
		point, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		b64 := base64.RawURLEncoding.EncodeToString
		texts = append(texts, fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}`, k.kid, b64(point[1:33]), b64(point[33:])))
	}
	return `{"keys":[` + strings.Join(texts, ",") + `]}`
}

// feels waits for the end of a connection.
func (ph *phone) feels(t *testing.T, what string) {
	t.Helper()
	select {
	case <-ph.lost:
	case <-time.After(felt):
		t.Errorf("%s: the connection stands", what)
	}
}

// stands says that a connection was not disturbed.
func (ph *phone) stands(t *testing.T, what string) {
	t.Helper()
	select {
	case err := <-ph.lost:
		t.Errorf("%s: the connection is lost: %v", what, err)
	default:
	}
	if err := ph.Subscribe(t.Context(), "acme/chat/broadcast", 1); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// TestKeysReachLiveConnections: keys are changed at one node, and connections at
// the other feel it, these alone.
func TestKeysReachLiveConnections(t *testing.T) {
	t.Parallel()
	args := clustered(t)
	inside := "--egress-private=allow"
	one, two := serve(t, append(args("one"), inside)...), serve(t, append(args("two"), inside)...)
	here := found(t, one, "acme")
	there := here.at(two)
	key := one.api.With(here.app.APIKey.Secret)
	others := there.user(t, "others", "bo")

	t.Run("rotation", func(t *testing.T) {
		first, second := newIssuerKey(t, ""), newIssuerKey(t, "")
		text := first.publicPEM(t)
		made, err := key.CreateSigningKey(t.Context(), "chat", spec.SigningKeyRequest{PublicKeyPem: &text})
		if err != nil {
			t.Fatal(err)
		}
		first.kid = made.Value.Kid
		old := there.enter(t, "old", "acme/chat", first.token(t))
		text = second.publicPEM(t)
		overlap := int32(3)
		rotated, err := key.RotateSigningKey(t.Context(), "chat", first.kid, spec.SigningKeyRotation{PublicKeyPem: &text, OverlapSeconds: &overlap})
		if err != nil {
			t.Fatal(err)
		}
		second.kid = rotated.Value.SigningKey.Kid
		// The old key's device connected after the rotation knows its end.
		later := there.enter(t, "later", "acme/chat", first.token(t))
		fresh := there.enter(t, "new", "acme/chat", second.token(t))
		old.stands(t, "within the overlap")
		old.feels(t, "the overlap is over")
		later.feels(t, "the overlap is over")
		if left := time.Until(*rotated.Value.Replaced.ExpiresAt); left > 0 {
			t.Errorf("felt %v early", left)
		}
		fresh.stands(t, "the new key's")
		var kept spec.SigningKey
		used := func() bool {
			if err := key.Get(t.Context(), "/v1/apps/chat/signing-keys/"+first.kid, &kept); err != nil {
				t.Fatal(err)
			}
			return kept.LastUsedAt != nil && kept.LastUsedAt.After(kept.CreatedAt)
		}
		testenv.Eventually(t, patience, "the old key's last use is seen", used)
		here.remove(t, "/signing-keys/"+second.kid)
		fresh.feels(t, "a key is deleted")
	})
	t.Run("key set", func(t *testing.T) {
		first, second := newIssuerKey(t, "2026-07"), newIssuerKey(t, "2026-08")
		var document atomic.Value
		document.Store(jwks(t, first))
		issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, document.Load()) }))
		defer issuer.Close()
		var made spec.KeySet
		if err := key.Post(t.Context(), "/v1/apps/chat/key-sets", spec.NewKeySet{URL: issuer.URL, Name: client.Optional("Issuer")}, &made); err != nil {
			t.Fatal(err)
		}
		if len(made.Keys) != 1 {
			t.Fatalf("its keys: %+v", made)
		}
		known := func() bool { // the other node has to hear of the set
			d, err := device.Connect(t.Context(), device.Options{
				URL: there.places["MQTT"], ClientID: "first", Username: "acme/chat", Token: first.token(t),
			})
			if err == nil {
				d.Close()
			}
			return err == nil
		}
		testenv.Eventually(t, felt, "the set is known", known)
		old := there.enter(t, "old", "acme/chat", first.token(t))
		document.Store(jwks(t, first, second))
		fresh := there.enter(t, "new", "acme/chat", second.token(t)) // signed before anybody has asked
		old.stands(t, "beside the new key's")
		document.Store(jwks(t, second))
		again := time.NewTicker(time.Second)
		defer again.Stop()
		for answer := json.RawMessage(first.kid); strings.Contains(string(answer), first.kid); <-again.C {
			if err := key.Post(t.Context(), "/v1/apps/chat/key-sets/"+made.ID+"/refresh", struct{}{}, &answer); err != nil {
				t.Fatal(err)
			}
		}
		old.feels(t, "a key is gone from the set")
		fresh.stands(t, "the other key's")
		here.remove(t, "/key-sets/"+made.ID)
		fresh.feels(t, "the set is deleted")
	})
	others.stands(t, "another key's")
}
