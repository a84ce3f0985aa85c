package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fanfare-mq/fanfare/auth"
	"github.com/fanfare-mq/fanfare/fault"
)

// noon is when these tests take place.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// token describes a JWT; what is not set is as it should be for acme/chat.
type token struct {
	alg    string         // HS256
	secret string         // the one of acme/chat
	header map[string]any // added to alg, typ and kid; nil removes
	claims map[string]any // added to sub and exp; nil removes
}

// segment is one of the dot-separated parts of a token.
func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func merge(into, from map[string]any) map[string]any {
	maps.Copy(into, from)
	maps.DeleteFunc(into, func(_ string, v any) bool { return v == nil })
	return into
}

// text signs the token with an HMAC, or leaves the signature empty.
func (k token) text(t testing.TB) string {
	t.Helper()
	if k.alg == "" {
		k.alg = "HS256"
	}
	if k.secret == "" {
		k.secret = testSecret("acme", "chat")
	}
	signed := segment(merge(map[string]any{"alg": k.alg, "typ": "JWT", "kid": testKID("acme", "chat")}, k.header)) + "." +
		segment(merge(map[string]any{"sub": "ana", "exp": noon.Add(time.Hour).Unix()}, k.claims))
	method, ok := jwt.GetSigningMethod(k.alg).(*jwt.SigningMethodHMAC)
	if !ok {
		return signed + "."
	}
	sum, err := method.Sign(signed, []byte(k.secret))
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sum)
}

func newDevices(t testing.TB) (*auth.Devices, *source) {
	t.Helper()
	src := newSource(entry("acme", "chat"), entry("acme", "shop"), entry("globex", "chat"))
	return auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon), src
}

func connect(t testing.TB, v *auth.Devices, username, password string) (*auth.Device, error) {
	t.Helper()
	return v.Authenticate(t.Context(), auth.Credentials{ClientID: "phone-1", Username: username, Password: []byte(password)})
}

func TestAuthenticate(t *testing.T) {
	v, _ := newDevices(t)
	full := token{claims: map[string]any{
		"device": "phone-1", "tags": []string{"beta", "nl"}, "role": "driver",
		"iat": noon.Unix(), "nbf": noon.Unix(), "iss": "us", "aud": "them", "jti": "1", "Acl": 1, "SUB": "eve",
	}}
	for _, username := range []string{"acme/chat", ""} {
		d, err := connect(t, v, username, full.text(t))
		if err != nil {
			t.Fatal(err)
		}
		got := d.Identity
		if got.Org != "acme" || got.App != "chat" || got.User != "ana" || got.Device != "phone-1" || got.ClientID != "phone-1" ||
			!slices.Equal(got.Tags, []string{"beta", "nl"}) || got.Role != "driver" || !got.Expires.Equal(noon.Add(time.Hour)) {
			t.Errorf("user name %q: %+v", username, got)
		}
		if app := d.App().Entry().App; app.TopicPrefix() != "acme/chat" {
			t.Errorf("user name %q: app %+v", username, app)
		}
	}
}

// A token without a device claim serves any client id; null is no claim.
func TestTokenWithoutDevice(t *testing.T) {
	v, _ := newDevices(t)
	for _, id := range []string{"phone-1", "mosq/anything goes"} {
		d, err := v.Authenticate(t.Context(), auth.Credentials{
			ClientID: id, Username: "acme/chat",
			Password: []byte(token{claims: map[string]any{"device": json.RawMessage("null"), "tags": json.RawMessage("null")}}.text(t)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if d.Device != "" || d.ClientID != id || len(d.Tags) != 0 {
			t.Errorf("got %+v", d.Identity)
		}
	}
}

func TestLeeway(t *testing.T) {
	v, _ := newDevices(t)
	for name, test := range map[string]struct {
		claims map[string]any
		code   fault.Code
		ends   time.Duration // after noon
	}{
		"expires in a second":   {map[string]any{"exp": noon.Unix() + 1}, "", time.Second},
		"expired within leeway": {map[string]any{"exp": noon.Unix() - 29}, "", time.Second},
		"expired beyond leeway": {map[string]any{"exp": noon.Unix() - 30}, fault.TokenExpired, 0},
		"fraction of a second":  {map[string]any{"exp": float64(noon.Unix()) + 1.5}, "", time.Second},
		"longest":               {map[string]any{"exp": noon.Add(auth.MaxTokenLifetime).Unix() + 30}, "", auth.MaxTokenLifetime + 30*time.Second},
		"too long":              {map[string]any{"exp": noon.Add(auth.MaxTokenLifetime).Unix() + 31}, fault.Unauthenticated, 0},
		"nbf within leeway":     {map[string]any{"nbf": noon.Unix() + 30}, "", time.Hour},
		"nbf beyond leeway":     {map[string]any{"nbf": noon.Unix() + 31}, fault.Unauthenticated, 0},
		"issued within leeway":  {map[string]any{"iat": noon.Unix() + 30}, "", time.Hour},
		"issued in the future":  {map[string]any{"iat": noon.Unix() + 31}, fault.Unauthenticated, 0},
		"expired long ago":      {map[string]any{"exp": noon.Unix() - 3600}, fault.TokenExpired, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := connect(t, v, "acme/chat", token{claims: test.claims}.text(t))
			if test.code != "" {
				wantFault(t, err, test.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := noon.Add(test.ends); !d.Expires.Equal(want) {
				t.Errorf("ends at %v, want %v", d.Expires, want)
			}
		})
	}
}

// es256 signs a token as acme/chat's key is not meant to be used.
func es256(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "ana", "exp": noon.Add(time.Hour).Unix()})
	k.Header["kid"] = testKID("acme", "chat")
	s, err := k.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func claim(name string, value any) token { return token{claims: map[string]any{name: value}} }

func header(name string, value any) token { return token{header: map[string]any{name: value}} }

func TestAttacks(t *testing.T) {
	v, _ := newDevices(t)
	good := token{}.text(t)
	if _, err := connect(t, v, "acme/chat", good); err != nil {
		t.Fatal(err)
	}
	part := strings.Split(good, ".")
	raw := base64.RawURLEncoding.EncodeToString
	// The last character of a signature holds two bits that mean nothing.
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(good) - 1
	respelled := good[:last] + string(digits[strings.IndexByte(digits, good[last])|1])
	type attack struct {
		username, password, says string
	}
	acl := func(claim string) string {
		return token{claims: map[string]any{"acl": json.RawMessage(claim)}}.text(t)
	}
	attacks := map[string]attack{
		"no password":              {"acme/chat", "", "no password and no certificate"},
		"no user name nor kid":     {"", header("kid", nil).text(t), "kid"},
		"garbage":                  {"acme/chat", "garbage", "not a token"},
		"dots":                     {"acme/chat", "..", "not a token"},
		"binary":                   {"acme/chat", "\x00\xff.\x00.\x00", "not a token"},
		"four parts":               {"acme/chat", good + ".x", "not a token"},
		"two parts":                {"acme/chat", part[0] + "." + part[1], "not a token"},
		"header is no JSON":        {"acme/chat", raw([]byte("x")) + "." + part[1] + "." + part[2], "not a token"},
		"header is null":           {"acme/chat", raw([]byte("null")) + "." + part[1] + "." + part[2], "algorithm is unknown"},
		"claims are no JSON":       {"acme/chat", part[0] + "." + raw([]byte("x")) + "." + part[2], "not a token"},
		"claims are an array":      {"acme/chat", part[0] + "." + raw([]byte("[]")) + "." + part[2], "not a JSON object"},
		"claims are null":          {"acme/chat", part[0] + "." + raw([]byte("null")) + "." + part[2], "signature is wrong"},
		"too long":                 {"acme/chat", strings.Repeat("a", 16<<10+1), "more than 16384 bytes"},
		"padded base64":            {"acme/chat", part[0] + "." + part[1] + "." + part[2] + "=", "not a token"},
		"signature cut off":        {"acme/chat", part[0] + "." + part[1] + ".", "signature is wrong"},
		"signature shortened":      {"acme/chat", part[0] + "." + part[1] + "." + part[2][:40], "signature is wrong"},
		"signature respelled":      {"acme/chat", respelled, "not a token"},
		"claims exchanged":         {"acme/chat", part[0] + "." + segment(map[string]any{"sub": "eve", "exp": noon.Unix() + 60}) + "." + part[2], "signature is wrong"},
		"wrong secret":             {"acme/chat", token{secret: "guess"}.text(t), "signature is wrong"},
		"expired, wrong secret":    {"acme/chat", token{secret: "guess", claims: map[string]any{"exp": 1}}.text(t), "signature is wrong"},
		"alg none":                 {"acme/chat", token{alg: "none"}.text(t), "signed with none"},
		"alg none, signed":         {"acme/chat", header("alg", "none").text(t), "signed with none"},
		"alg None":                 {"acme/chat", header("alg", "None").text(t), "algorithm is unknown"},
		"alg empty":                {"acme/chat", header("alg", "").text(t), "algorithm is unknown"},
		"alg missing":              {"acme/chat", header("alg", nil).text(t), "algorithm is unknown"},
		"alg a number":             {"acme/chat", header("alg", 1).text(t), "algorithm is unknown"},
		"alg HS512, right secret":  {"acme/chat", token{alg: "HS512"}.text(t), "signed with HS512"},
		"alg hs256":                {"acme/chat", header("alg", "hs256").text(t), "algorithm is unknown"},
		"alg ES256":                {"acme/chat", es256(t), "signed with ES256"},
		"alg RS256":                {"acme/chat", header("alg", "RS256").text(t), "signed with RS256"},
		"crit":                     {"acme/chat", header("crit", []string{"b64"}).text(t), "extension"},
		"kid missing":              {"acme/chat", header("kid", nil).text(t), "kid"},
		"kid empty":                {"acme/chat", header("kid", "").text(t), "kid"},
		"kid a number":             {"acme/chat", header("kid", 7).text(t), "kid"},
		"kid too long":             {"acme/chat", header("kid", strings.Repeat("k", 257)).text(t), "kid"},
		"kid unknown":              {"acme/chat", header("kid", "sk_nobody").text(t), "no signing key"},
		"kid unknown, no username": {"", header("kid", "sk_nobody").text(t), "no signing key"},
		"kid an injection":         {"", header("kid", "' OR 1=1 --").text(t), "no signing key"},
		"kid of another app": {"acme/chat", token{
			secret: testSecret("acme", "shop"), header: map[string]any{"kid": testKID("acme", "shop")},
		}.text(t), "acme/chat has no signing key"},
		"kid of another organization": {"acme/chat", token{
			secret: testSecret("globex", "chat"), header: map[string]any{"kid": testKID("globex", "chat")},
		}.text(t), "acme/chat has no signing key"},
		"other app's user name":    {"acme/shop", good, "acme/shop has no signing key"},
		"other org's user name":    {"globex/chat", good, "globex/chat has no signing key"},
		"unknown app":              {"acme/nope", good, "no app"},
		"unknown organization":     {"nope/chat", good, "no app"},
		"user name without slash":  {"acme", good, "{org}/{app}"},
		"user name of four parts":  {"acme/chat/x/y", good, "{org}/{app}"},
		"user name with wildcard":  {"acme/+", good, "{org}/{app}"},
		"user name empty parts":    {"/", good, "{org}/{app}"},
		"user name with space":     {"acme/chat ", good, "no app"},
		"user name in upper case":  {"ACME/chat", good, "no app"},
		"exp missing":              {"acme/chat", claim("exp", nil).text(t), "no exp"},
		"exp null":                 {"acme/chat", claim("exp", json.RawMessage("null")).text(t), "no exp"},
		"exp a string":             {"acme/chat", claim("exp", "2026-07-02").text(t), "exp is not"},
		"exp a number in a string": {"acme/chat", claim("exp", "1783000000").text(t), "exp is not"},
		"exp negative":             {"acme/chat", claim("exp", -1).text(t), "exp is not"},
		"exp huge":                 {"acme/chat", claim("exp", json.RawMessage("1e300")).text(t), "exp is not"},
		"exp overflows":            {"acme/chat", claim("exp", json.RawMessage("1e999")).text(t), "exp is not"},
		"exp in milliseconds":      {"acme/chat", claim("exp", noon.Add(time.Hour).UnixMilli()).text(t), "exp is not"},
		"exp in a year":            {"acme/chat", claim("exp", noon.AddDate(1, 0, 0).Unix()).text(t), "30 days"},
		"exp under another name":   {"acme/chat", token{claims: map[string]any{"exp": nil, "EXP": noon.Unix() + 60}}.text(t), "no exp"},
		"nbf huge":                 {"acme/chat", claim("nbf", json.RawMessage("1e300")).text(t), "nbf is not"},
		"sub missing":              {"acme/chat", claim("sub", nil).text(t), "sub must"},
		"sub null":                 {"acme/chat", claim("sub", json.RawMessage("null")).text(t), "sub must"},
		"sub empty":                {"acme/chat", claim("sub", "").text(t), "sub must"},
		"sub a number":             {"acme/chat", claim("sub", 7).text(t), "sub is not"},
		"sub with a slash":         {"acme/chat", claim("sub", "a/b").text(t), "sub must"},
		"sub with a plus":          {"acme/chat", claim("sub", "+").text(t), "sub must"},
		"sub with a hash":          {"acme/chat", claim("sub", "#").text(t), "sub must"},
		"sub with NUL":             {"acme/chat", claim("sub", "a\x00").text(t), "sub must"},
		"sub with a control":       {"acme/chat", claim("sub", "a\nb").text(t), "sub must"},
		"sub with a dollar":        {"acme/chat", claim("sub", "$SYS").text(t), "sub must"},
		"sub with half a pair":     {"acme/chat", claim("sub", json.RawMessage(`"a\ud800"`)).text(t), "sub must"},
		"sub too long":             {"acme/chat", claim("sub", strings.Repeat("a", 129)).text(t), "sub must"},
		"another device":           {"acme/chat", claim("device", "phone-2").text(t), "another device"},
		"device in other case":     {"acme/chat", claim("device", "Phone-1").text(t), "another device"},
		"device empty":             {"acme/chat", claim("device", "").text(t), "device must"},
		"device with a slash":      {"acme/chat", claim("device", "phone-1/#").text(t), "device must"},
		"device a list":            {"acme/chat", claim("device", []string{"phone-1"}).text(t), "device is not"},
		"tags a string":            {"acme/chat", claim("tags", "beta").text(t), "tags is not"},
		"tags of numbers":          {"acme/chat", claim("tags", []int{1}).text(t), "tags is not"},
		"tags with wildcard":       {"acme/chat", claim("tags", []string{"beta", "+"}).text(t), "a tag of the token must"},
		"tags with empty":          {"acme/chat", claim("tags", []string{""}).text(t), "a tag of the token must"},
		"tags with null":           {"acme/chat", claim("tags", []any{nil}).text(t), "a tag of the token must"},
		"tags too many":            {"acme/chat", claim("tags", slices.Repeat([]string{"a"}, 65)).text(t), "more than 64 tags"},
		"role a number":            {"acme/chat", claim("role", 1).text(t), "role is not"},
		"role with a control":      {"acme/chat", claim("role", "a\x00").text(t), "role must"},
		"jti a number":             {"acme/chat", claim("jti", 1).text(t), "jti is not"},
		"lives too long":           {"acme/chat", claim("iat", noon.Add(-auth.MaxTokenLifetime).Unix()).text(t), "30 days"},
		"acl a list":               {"acme/chat", claim("acl", []string{}).text(t), "acl is not"},
		"acl null":                 {"acme/chat", claim("acl", json.RawMessage("null")).text(t), "acl is null"},
		"acl of something else":    {"acme/chat", acl(`{"publish":[],"retain":[]}`), "acl is not"},
		"acl in other case":        {"acme/chat", acl(`{"Publish":[]}`), "acl is not"},
		"acl with null":            {"acme/chat", acl(`{"publish":null}`), "acl is not"},
		"acl with a string":        {"acme/chat", acl(`{"publish":"acme/#"}`), "acl is not"},
		"acl of a null":            {"acme/chat", acl(`{"publish":["acme/#",null]}`), "acl/publish/1 is not a topic filter"},
		"acl of no filter":         {"acme/chat", acl(`{"subscribe":["acme/a#"]}`), "acl/subscribe/0 is not a topic filter"},
		"acl outside":              {"acme/chat", acl(`{"subscribe":["acme/a","globex/#"]}`), "acl/subscribe/1 must start with acme/"},
		"acl of everything":        {"acme/chat", acl(`{"subscribe":["#"]}`), "acl/subscribe/0 must start with acme/"},
		"acl of share groups":      {"acme/chat", acl(`{"subscribe":["$share/g/acme/#"]}`), "must be a plain filter"},
		"acl too long":             {"acme/chat", claim("acl", map[string]any{"publish": slices.Repeat([]string{"acme/a"}, 33)}).text(t), "acl/publish must have at most 32"},
	}
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			d, err := connect(t, v, a.username, a.password)
			wantFault(t, err, fault.Unauthenticated)
			if d != nil || err == nil {
				t.Fatalf("let in as %+v", d)
			}
			if !strings.Contains(err.Error(), a.says) {
				t.Errorf("says %q, want it to say %q", err, a.says)
			}
			for _, secret := range []string{testSecret("acme", "chat"), a.password} {
				if len(secret) > 2 && strings.Contains(err.Error(), secret) {
					t.Errorf("%q shows the secret", err)
				}
			}
		})
	}
}

// Without a secret, everybody could sign.
func TestKeyWithoutSecretVerifiesNothing(t *testing.T) {
	e := entry("acme", "chat")
	e.SigningKeys[0].Secret = ""
	v := auth.NewDevices(auth.NewDirectory(newSource(e), atNoon), atNoon)
	forged := token{}
	signed := strings.Join(strings.Split(forged.text(t), ".")[:2], ".")
	sum, err := jwt.SigningMethodHS256.Sign(signed, []byte{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := connect(t, v, "acme/chat", signed+"."+base64.RawURLEncoding.EncodeToString(sum))
	wantFault(t, err, fault.Internal)
	if d != nil {
		t.Errorf("let in as %+v", d)
	}
}

// While the source is away a device of an unknown app is told to come back,
// not that its token is wrong.
func TestUnavailableIsNotUnauthenticated(t *testing.T) {
	v, src := newDevices(t)
	src.fail(errAway)
	for _, username := range []string{"acme/chat", ""} {
		_, err := connect(t, v, username, token{}.text(t))
		wantFault(t, err, fault.Unavailable)
	}
	src.fail(nil)
	if _, err := connect(t, v, "acme/chat", token{}.text(t)); err != nil {
		t.Fatal(err)
	}
	src.fail(errAway)
	if _, err := connect(t, v, "acme/chat", token{}.text(t)); err != nil {
		t.Errorf("a known app's device is refused: %v", err)
	}
}

func FuzzAuthenticate(f *testing.F) {
	src := newSource(entry("acme", "chat"))
	v := auth.NewDevices(auth.NewDirectory(src, atNoon), atNoon)
	secret := []byte(testSecret("acme", "chat"))
	f.Add(`{"alg":"HS256","kid":"sk_acme_chat"}`, `{"sub":"ana","exp":1782910800}`)
	f.Add(`{"alg":"none"}`, `{"sub":null,"tags":[null],"device":{},"exp":1e9}`)
	f.Fuzz(func(t *testing.T, head, body string) {
		b64 := base64.RawURLEncoding.EncodeToString
		signed := b64([]byte(head)) + "." + b64([]byte(body))
		sum, err := jwt.SigningMethodHS256.Sign(signed, secret)
		if err != nil {
			t.Fatal(err)
		}
		d, err := connect(t, v, "acme/chat", signed+"."+b64(sum))
		if err != nil {
			if code := fault.CodeOf(err); code != fault.Unauthenticated && code != fault.TokenExpired {
				t.Errorf("%q: %v", code, err)
			}
			return
		}
		if auth.ValidUser(d.User) != nil || !d.Expires.After(noon) || d.Expires.After(noon.Add(auth.MaxTokenLifetime+time.Minute)) {
			t.Errorf("let in as %+v", d.Identity)
		}
	})
}
