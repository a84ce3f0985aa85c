package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/auth"
)

const (
	signUpBody = `{"organization":"acme2","email":"bo@example.com","password":"correct horse battery"}`
	note       = `"notification":{"title":"x","body":"y"}`
	pushPath   = "/v1/apps/chat/push"
	pubPath    = "/v1/apps/chat/publish"
	tokenPath  = "/v1/apps/chat/tokens"
	appPath    = "/v1/apps/chat"
	invitePath = "/v1/invitations"
	loginsPath = "/v1/apps/chat/logins"
	certPath   = "/v1/apps/chat/certificates"
	keysPath   = "/v1/apps/chat/api-keys"
	aclPath    = "/v1/apps/chat/acl"
	signPath   = "/v1/apps/chat/signing-keys"
	setPath    = "/v1/apps/chat/key-sets"
	revokePath = "/v1/apps/chat/revocations"
	jsonType   = "application/json"
)

// badInput is one request that must be refused clearly.
type badInput struct {
	name, method, path, as, body string // as: member, key or empty
	status                       int
	code                         string
	fields                       []string
}

func fields(names ...string) []string { return names }

var badInputs = []badInput{
	// JSON
	{"no JSON", "POST", "/v1/signup", "", `{"organization"`, 400, "malformed_json", nil},
	{"empty body", "POST", "/v1/signup", "", ``, 400, "malformed_json", nil},
	{"two values", "POST", "/v1/signup", "", signUpBody + `{}`, 400, "malformed_json", nil},
	{"garbage behind", "POST", "/v1/login", "", `{"email":"a@b.example","password":"x"}]`, 400, "malformed_json", nil},
	{"repeated name", "POST", pushPath, "key", `{"to":{"user":"a"},"to":{"device":"b"},` + note + `}`, 400, "malformed_json", nil},
	{"repeated inside", "POST", pushPath, "key", `{"to":{"user":"a"},"notification":{"title":"x","body":"y","data":{"a":1,"a":2}}}`, 400, "malformed_json", nil},
	{"not UTF-8", "POST", pubPath, "key", "{\"topic\":\"acme/chat/x\",\"payload\":\"\xff\"}", 400, "malformed_json", nil},
	{"trailing comma", "POST", "/v1/apps", "member", `{"id":"a","name":"b",}`, 400, "malformed_json", nil},
	{"an array", "POST", "/v1/apps", "member", `[]`, 422, "invalid", nil},
	{"null", "POST", "/v1/apps", "member", `null`, 422, "invalid", nil},
	{"deep", "POST", pushPath, "key", `{"to":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 422, "invalid", nil},

	// sign-up
	{"unknown field", "POST", "/v1/signup", "", `{"organization":"acme2","email":"bo@example.com","password":"correct horse battery","plan":"pro"}`, 422, "invalid", fields("/plan")},
	{"wrong case", "POST", "/v1/signup", "", `{"Organization":"acme2","email":"bo@example.com","password":"correct horse battery"}`, 422, "invalid", fields("/Organization", "/organization")},
	{"all missing", "POST", "/v1/signup", "", `{}`, 422, "invalid", fields("/email", "/organization", "/password")},
	{"wrong types", "POST", "/v1/signup", "", `{"organization":1,"email":true,"password":null}`, 422, "invalid", fields("/email", "/organization", "/password")},
	{"wrong slug", "POST", "/v1/signup", "", `{"organization":"Acme!","email":"bo@example.com","password":"correct horse battery"}`, 422, "invalid", fields("/organization")},
	{"slug with a slash", "POST", "/v1/signup", "", `{"organization":"a/b","email":"bo@example.com","password":"correct horse battery"}`, 422, "invalid", fields("/organization")},
	{"reserved slug", "POST", "/v1/signup", "", `{"organization":"admin","email":"bo@example.com","password":"correct horse battery"}`, 422, "invalid", fields("/organization")},
	{"weak password and no e-mail", "POST", "/v1/signup", "", `{"organization":"acme2","email":"bo.example.com","password":"password123"}`, 422, "invalid", fields("/email", "/password")},
	{"short password", "POST", "/v1/signup", "", `{"organization":"acme2","email":"bo@example.com","password":"short"}`, 422, "invalid", fields("/password")},
	{"organization taken", "POST", "/v1/signup", "", `{"organization":"acme","email":"bo@example.com","password":"correct horse battery"}`, 409, "conflict", fields("/organization")},
	{"e-mail taken", "POST", "/v1/signup", "", `{"organization":"acme2","email":"ANA@acme.example","password":"correct horse battery"}`, 409, "conflict", fields("/email")},
	{"operator's slug", "POST", "/v1/signup", "", `{"organization":"ops","email":"bo@example.com","password":"correct horse battery"}`, 409, "conflict", fields("/organization")},

	// credentials
	{"unknown account", "POST", "/v1/login", "", `{"email":"no@example.com","password":"correct horse battery"}`, 401, "unauthenticated", nil},
	{"no credentials", "GET", "/v1/me", "", ``, 401, "unauthenticated", nil},
	{"no credentials, bad body", "POST", pushPath, "", `{`, 401, "unauthenticated", nil},
	{"wrong key", "GET", "/v1/me", "wrong key", ``, 401, "unauthenticated", nil},
	{"wrong token", "GET", "/v1/apps", "wrong token", ``, 401, "unauthenticated", nil},
	{"other token", "GET", "/v1/apps", "eyJhbGciOiJub25lIn0.e30.", ``, 401, "unauthenticated", nil},
	{"a key creates an app", "POST", "/v1/apps", "key", `{"id":"new","name":"New"}`, 403, "forbidden", nil},

	// people
	{"organization of a log-in", "POST", "/v1/login", "", `{"email":"ana@acme.example","password":"x","organization":"A b"}`, 422, "invalid", fields("/organization")},
	{"invitation of nobody", "POST", invitePath, "member", `{}`, 422, "invalid", fields("/email", "/role")},
	{"invitation of no address", "POST", invitePath, "member", `{"email":"bo@example","role":"viewer"}`, 422, "invalid", fields("/email")},
	{"invitation as what is no role", "POST", invitePath, "member", `{"email":"bo@example.com","role":"god","note":"x"}`, 422, "invalid", fields("/note", "/role")},
	{"invitation of a member", "POST", invitePath, "member", `{"email":"ANA@acme.example","role":"viewer"}`, 409, "conflict", fields("/email")},
	{"invitation with a key", "POST", invitePath, "key", `{"email":"bo@example.com","role":"viewer"}`, 403, "forbidden", nil},
	{"invitations with no cursor", "GET", invitePath + "?cursor=mem_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "member", ``, 422, "invalid", fields("cursor")},
	{"no such invitation", "DELETE", invitePath + "/inv_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "member", ``, 404, "not_found", nil},
	{"no invitation's id", "DELETE", invitePath + "/inv_1", "member", ``, 404, "not_found", nil},
	{"wrong link", "POST", invitePath + "/accept", "", `{"token":"ffi_x","password":"correct horse battery"}`, 404, "not_found", nil},
	{"link with NUL", "POST", invitePath + "/inspect", "", `{"token":"ffi_\u0000"}`, 404, "not_found", nil},
	{"no link", "POST", invitePath + "/accept", "", `{"token":"","user":"x"}`, 422, "invalid", fields("/password", "/token", "/user")},
	{"long link", "POST", invitePath + "/inspect", "", `{"token":"` + strings.Repeat("x", 201) + `"}`, 422, "invalid", fields("/token")},
	{"no such member", "GET", "/v1/members/mem_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "member", ``, 404, "not_found", nil},
	{"no member's id", "GET", "/v1/members/ana", "member", ``, 404, "not_found", nil},
	{"role of nobody", "PATCH", "/v1/members/mem_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "member", `{"role":"admin"}`, 404, "not_found", nil},
	{"no role", "PATCH", "/v1/members/mem_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "member", `{"role":"","email":"x"}`, 422, "invalid", fields("/email", "/role")},
	{"removal of nobody", "DELETE", "/v1/members/mem_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "member", ``, 404, "not_found", nil},
	{"members with a large limit", "GET", "/v1/members?limit=101", "member", ``, 422, "invalid", fields("limit")},
	{"members with no cursor", "GET", "/v1/members?cursor=x", "member", ``, 422, "invalid", fields("cursor")},
	{"sessions with no cursor", "GET", "/v1/me/sessions?cursor=x", "member", ``, 422, "invalid", fields("cursor")},
	{"no such session", "DELETE", "/v1/me/sessions/ses_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "member", ``, 404, "not_found", nil},
	{"switch to nothing", "POST", "/v1/me/switch", "member", `{"organization":"globex"}`, 404, "not_found", nil},
	{"switch with a key", "POST", "/v1/me/switch", "key", `{"organization":"acme"}`, 403, "forbidden", nil},
	{"organization that is there", "POST", "/v1/me/organizations", "member", `{"organization":"acme"}`, 409, "conflict", fields("/organization")},
	{"reserved organization", "POST", "/v1/me/organizations", "member", `{"organization":"admin"}`, 422, "invalid", fields("/organization")},
	{"password change without passwords", "POST", "/v1/me/password", "member", `{"password":"x"}`, 422, "invalid", fields("/current_password", "/new_password", "/password")},
	{"confirmation without a password", "POST", "/v1/me/confirm", "member", `{}`, 422, "invalid", fields("/password")},
	{"short password by link", "POST", "/v1/password-resets/redeem", "", `{"token":"ffr_x","new_password":"short"}`, 422, "invalid", fields("/new_password")},
	{"wrong link for a password", "POST", "/v1/password-resets/redeem", "", `{"token":"ffr_x","new_password":"correct horse battery"}`, 404, "not_found", nil},
	{"log-out without a token", "POST", "/v1/logout", "", ``, 401, "unauthenticated", nil},

	// apps
	{"app taken", "POST", "/v1/apps", "member", `{"id":"chat","name":"Chat"}`, 409, "conflict", fields("/id")},
	{"app slug and name", "POST", "/v1/apps", "member", `{"id":"api","name":" x"}`, 422, "invalid", fields("/id", "/name")},
	{"no such app", "GET", "/v1/apps/nope", "member", ``, 404, "not_found", nil},
	{"no app's name", "GET", "/v1/apps/No%2Fpe", "member", ``, 404, "not_found", nil},
	{"limit too large", "GET", "/v1/apps?limit=101", "member", ``, 422, "invalid", fields("limit")},
	{"limit no number", "GET", "/v1/apps?limit=ten", "member", ``, 422, "invalid", fields("limit")},
	{"limit twice", "GET", "/v1/apps?limit=1&limit=2", "member", ``, 422, "invalid", fields("limit")},
	{"no cursor", "GET", "/v1/apps?cursor=!", "member", ``, 422, "invalid", fields("cursor")},

	// settings
	{"change to a null", "PATCH", appPath, "key", `{"name":null}`, 422, "invalid", fields("/name")},
	{"change to a bad name", "PATCH", appPath, "key", `{"name":" x"}`, 422, "invalid", fields("/name")},
	{"change of the id", "PATCH", appPath, "key", `{"id":"x"}`, 422, "invalid", fields("/id")},
	{"unknown setting", "PATCH", appPath, "key", `{"settings":{"colour":1}}`, 422, "invalid", fields("/settings/colour")},
	{"settings out of range", "PATCH", appPath, "key", `{"settings":{"session_expiry_seconds":7776001,"max_retained":-1,"publish_bytes":1000000000001}}`, 422, "invalid", fields("/settings/max_retained", "/settings/publish_bytes", "/settings/session_expiry_seconds")},
	{"settings of the wrong type", "PATCH", appPath, "key", `{"settings":{"mounted":"yes","max_connections":1.5}}`, 422, "invalid", fields("/settings/max_connections", "/settings/mounted")},
	{"settings of no app", "PATCH", "/v1/apps/nope", "member", `{"settings":{"mounted":true}}`, 404, "not_found", nil},

	// rules one by one
	{"rule without anything", "POST", aclPath + "/rules", "key", `{}`, 422, "invalid", fields("/action", "/effect", "/topic", "/who")},
	{"rule outside the wall", "POST", aclPath + "/rules", "key", `{"effect":"allow","action":"all","topic":"globex/#","who":{"everyone":true}}`, 0, "", fields("/topic")},
	{"rule with an id of its own", "POST", aclPath + "/rules", "key", `{"id":"rule_2","effect":"allow","action":"all","topic":"acme/#","who":{"everyone":true}}`, 422, "invalid", fields("/id")},
	{"rule for nobody", "PUT", aclPath + "/rules/rule_1", "key", `{"effect":"allow","action":"all","topic":"acme/#","who":{}}`, 422, "invalid", fields("/who")},
	{"rule with a bad filter", "PUT", aclPath + "/rules/rule_1", "key", `{"effect":"allow","action":"all","topic":"acme/#/x","who":{"everyone":true}}`, 422, "invalid", fields("/topic")},
	{"no such rule", "DELETE", aclPath + "/rules/rule_none", "key", ``, 404, "not_found", nil},
	{"no rule's name", "GET", aclPath + "/rules/a%2Fb", "key", ``, 404, "not_found", nil},
	// API keys
	{"key without anything", "POST", keysPath, "key", `{}`, 422, "invalid", fields("/scopes")},
	{"key without scopes", "POST", keysPath, "key", `{"scopes":[]}`, 422, "invalid", fields("/scopes")},
	{"key with odd scopes", "POST", keysPath, "key", `{"scopes":["push","write"]}`, 422, "invalid", fields("/scopes/1")},
	{"key with a scope twice", "POST", keysPath, "key", `{"scopes":["push","push"]}`, 422, "invalid", fields("/scopes")},
	{"key with bad addresses", "POST", keysPath, "key", `{"scopes":["push"],"addresses":["10.0.0.1","10.0.0.0/33","example.com","::1%lo"]}`, 422, "invalid", fields("/addresses/1", "/addresses/2", "/addresses/3")},
	{"key with many addresses", "POST", keysPath, "key", `{"scopes":["push"],"addresses":[` + strings.Repeat(`"10.0.0.1",`, 100) + `"10.0.0.1"]}`, 422, "invalid", fields("/addresses")},
	{"key with an end that is over", "POST", keysPath, "key", `{"scopes":["push"],"expires_at":"2020-01-01T00:00:00Z","name":" x"}`, 422, "invalid", fields("/expires_at", "/name")},
	{"key with an end that is no time", "POST", keysPath, "key", `{"scopes":["push"],"expires_at":"tomorrow"}`, 422, "invalid", fields("/expires_at")},
	{"key with an end on no day", "POST", keysPath, "key", `{"scopes":["push"],"expires_at":"2031-02-30T00:00:00Z"}`, 422, "invalid", fields("/expires_at")},
	{"key with an end after all time", "POST", keysPath, "key", `{"scopes":["push"],"expires_at":"9999-12-31T23:59:59-23:00"}`, 422, "invalid", fields("/expires_at")},
	{"key with its own secret", "POST", keysPath, "key", `{"scopes":["push"],"secret":"ffk_x"}`, 422, "invalid", fields("/secret")},
	{"key of no app", "POST", "/v1/apps/nope/api-keys", "member", `{"scopes":["push"]}`, 404, "not_found", nil},
	{"keys of no app", "GET", "/v1/apps/nope/api-keys", "member", ``, 404, "not_found", nil},
	{"keys with no cursor", "GET", keysPath + "?cursor=x", "key", ``, 422, "invalid", fields("cursor")},
	{"no such key", "GET", keysPath + "/key_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "key", ``, 404, "not_found", nil},
	{"no key's id", "GET", keysPath + "/key_1", "key", ``, 404, "not_found", nil},
	{"change of no key", "PATCH", keysPath + "/key_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "key", `{}`, 404, "not_found", nil},
	{"change of a key's id", "PATCH", keysPath + "/{key}", "key", `{"id":"x"}`, 422, "invalid", fields("/id")},
	{"change to bad addresses", "PATCH", keysPath + "/{key}", "key", `{"addresses":["x"],"name":"\u0001","expires_at":"2020-01-01T00:00:00Z"}`, 422, "invalid", fields("/addresses/0", "/expires_at", "/name")},
	{"change to no scopes", "PATCH", keysPath + "/{key}", "key", `{"scopes":[]}`, 422, "invalid", fields("/scopes")},
	{"rotation of no key", "POST", keysPath + "/key_01JD8ZC4E0Q6W5C0E6Z4R4S1T2/rotate", "key", `{}`, 404, "not_found", nil},
	{"rotation with a long overlap", "POST", keysPath + "/{key}/rotate", "key", `{"overlap_seconds":2592001}`, 422, "invalid", fields("/overlap_seconds")},
	{"rotation with a negative overlap", "POST", keysPath + "/{key}/rotate", "key", `{"overlap_seconds":-1}`, 422, "invalid", fields("/overlap_seconds")},
	{"rotation to an end that is over", "POST", keysPath + "/{key}/rotate", "key", `{"expires_at":"2020-01-01T00:00:00Z"}`, 422, "invalid", fields("/expires_at")},

	// logins
	{"login without anything", "POST", loginsPath, "key", `{}`, 422, "invalid", fields("/password", "/user", "/username")},
	{"login with a slash", "POST", loginsPath, "key", `{"username":"a/b","password":"12345678","user":"ana"}`, 422, "invalid", fields("/username")},
	{"login with a colon", "POST", loginsPath, "key", `{"username":"a:b","password":"12345678","user":"ana"}`, 422, "invalid", fields("/username")},
	{"login with a long name", "POST", loginsPath, "key", `{"username":"` + strings.Repeat("x", 65) + `","password":"12345678","user":"ana"}`, 422, "invalid", fields("/username")},
	{"login with a short password", "POST", loginsPath, "key", `{"username":"a","password":"1234567","user":"ana"}`, 422, "invalid", fields("/password")},
	{"login with a NUL password", "POST", loginsPath, "key", `{"username":"a","password":"1234567\u0000","user":"ana"}`, 422, "invalid", fields("/password")},
	{"login with many bytes of password", "POST", loginsPath, "key", `{"username":"a","password":"` + strings.Repeat("☕", 400) + `","user":"ana"}`, 422, "invalid", fields("/password")},
	{"login of nobody who can be", "POST", loginsPath, "key", `{"username":"a","password":"12345678","user":"a/b","device":"+","tags":["ok","#"],"role":"\u0001"}`, 422, "invalid", fields("/device", "/role", "/tags/1", "/user")},
	{"login with a tag twice", "POST", loginsPath, "key", `{"username":"a","password":"12345678","user":"ana","tags":["a","a"]}`, 422, "invalid", fields("/tags")},
	{"login with a hash", "POST", loginsPath, "key", `{"username":"a","password_hash":"12345678","password":"12345678","user":"ana"}`, 422, "invalid", fields("/password_hash")},
	{"login of no app", "POST", "/v1/apps/nope/logins", "member", `{"username":"a","password":"12345678","user":"ana"}`, 404, "not_found", nil},
	{"logins of no app", "GET", "/v1/apps/nope/logins", "member", ``, 404, "not_found", nil},
	{"logins with no cursor", "GET", loginsPath + "?cursor=a%2Fb", "key", ``, 422, "invalid", fields("cursor")},
	{"logins with a large limit", "GET", loginsPath + "?limit=101", "key", ``, 422, "invalid", fields("limit")},
	{"no such login", "GET", loginsPath + "/nobody", "key", ``, 404, "not_found", nil},
	{"no login's name", "GET", loginsPath + "/%2B", "key", ``, 404, "not_found", nil},
	{"change of no login", "PATCH", loginsPath + "/nobody", "key", `{"enabled":true}`, 404, "not_found", nil},
	{"change to a bad user", "PATCH", loginsPath + "/robot", "key", `{"user":"a#","role":"a/b"}`, 422, "invalid", fields("/role", "/user")},
	{"change of the name", "PATCH", loginsPath + "/robot", "key", `{"username":"other"}`, 422, "invalid", fields("/username")},
	{"change to a short password", "PATCH", loginsPath + "/robot", "key", `{"password":"x"}`, 422, "invalid", fields("/password")},
	{"login taken", "POST", loginsPath, "key", `{"username":"robot","password":"12345678","user":"ana"}`, 409, "conflict", fields("/username")},

	// certificates
	{"certificate without anything", "POST", certPath, "key", `{}`, 422, "invalid", fields("/ca_pem", "/user_from")},
	{"no certificate", "POST", certPath, "key", `{"ca_pem":"x","user_from":"cn","tags":["+"],"role":"#"}`, 422, "invalid", fields("/ca_pem", "/role", "/tags/0")},
	{"two certificates", "POST", certPath, "key", jsonOf(map[string]any{"ca_pem": authorityPEM("A") + authorityPEM("B"), "user_from": "cn"}), 422, "invalid", fields("/ca_pem")},
	{"an expired certificate", "POST", certPath, "key", jsonOf(map[string]any{"ca_pem": authorityPEM("A", expired), "user_from": "cn"}), 422, "invalid", fields("/ca_pem")},
	{"a device's certificate", "POST", certPath, "key", jsonOf(map[string]any{"ca_pem": authorityPEM("A", asDevice), "user_from": "cn"}), 422, "invalid", fields("/ca_pem")},
	{"user from nowhere", "POST", certPath, "key", jsonOf(map[string]any{"ca_pem": authorityPEM("A"), "user_from": "serial"}), 422, "invalid", fields("/user_from")},
	{"certificate of no app", "POST", "/v1/apps/nope/certificates", "member", jsonOf(map[string]any{"ca_pem": authorityPEM("A"), "user_from": "cn"}), 404, "not_found", nil},
	{"certificates of no app", "GET", "/v1/apps/nope/certificates", "member", ``, 404, "not_found", nil},
	{"certificates with no cursor", "GET", certPath + "?cursor=x", "key", ``, 422, "invalid", fields("cursor")},
	{"no such certificate", "GET", certPath + "/ca_01JD8ZC4E0Q6W5C0E6Z4R4S1T2", "key", ``, 404, "not_found", nil},
	{"no certificate's id", "GET", certPath + "/ca_1", "key", ``, 404, "not_found", nil},

	// revocations
	{"revocation of nothing", "POST", revokePath, "key", `{}`, 422, "invalid", nil},
	{"revocation of two", "POST", revokePath, "key", `{"user":"ana","device":"phone-1"}`, 422, "invalid", nil},
	{"revocation of a role", "POST", revokePath, "key", `{"role":"driver"}`, 422, "invalid", fields("/role")},
	{"revocation of no user", "POST", revokePath, "key", `{"user":"a/b"}`, 422, "invalid", fields("/user")},
	{"revocation of a device with NUL", "POST", revokePath, "key", `{"device":"a\u0000"}`, 422, "invalid", fields("/device")},
	{"revocation of a long device", "POST", revokePath, "key", `{"device":"` + strings.Repeat("é", 128) + `"}`, 422, "invalid", fields("/device")},
	{"revocation too far ahead", "POST", revokePath, "key", `{"user":"ana","issued_before":"2999-01-01T00:00:00Z"}`, 422, "invalid", fields("/issued_before")},
	{"revocation too far back", "POST", revokePath, "key", `{"user":"ana","issued_before":"1999-01-01T00:00:00Z"}`, 422, "invalid", fields("/issued_before")},
	{"revocation at no time", "POST", revokePath, "key", `{"user":"ana","issued_before":"now"}`, 422, "invalid", fields("/issued_before")},
	{"revocation of a token by time", "POST", revokePath, "key", `{"token":{"jti":"one"},"issued_before":"2026-01-01T00:00:00Z"}`, 422, "invalid", fields("/issued_before")},
	{"revocation of no token", "POST", revokePath, "key", `{"token":{}}`, 422, "invalid", fields("/token")},
	{"revocation of a token said twice", "POST", revokePath, "key", `{"token":{"jti":"one","jwt":"x"}}`, 422, "invalid", fields("/token")},
	{"revocation of a token without a name", "POST", revokePath, "key", `{"token":{"jti":""}}`, 422, "invalid", fields("/token/jti")},
	{"revocation of a token with a line", "POST", revokePath, "key", `{"token":{"jti":"a\nb"}}`, 422, "invalid", fields("/token/jti")},
	{"revocation of a token that has expired", "POST", revokePath, "key", `{"token":{"jti":"one","expires_at":"2020-01-01T00:00:00Z"}}`, 422, "invalid", fields("/token/expires_at")},
	{"revocation of no JWT", "POST", revokePath, "key", `{"token":{"jwt":"password123"}}`, 422, "invalid", fields("/token/jwt")},
	{"revocation of a JWT until", "POST", revokePath, "key", `{"token":{"jwt":"password123","expires_at":"2999-01-01T00:00:00Z"}}`, 422, "invalid", fields("/token/expires_at")},
	{"revocation of no app", "POST", "/v1/apps/nope/revocations", "member", `{"user":"ana"}`, 404, "not_found", nil},
	{"revocations of no app", "GET", "/v1/apps/nope/revocations", "member", ``, 404, "not_found", nil},
	{"revocations with no cursor", "GET", revokePath + "?cursor=ana", "key", ``, 422, "invalid", fields("cursor")},
	{"revocations behind a role", "GET", revokePath + "?cursor=role%2Fdriver", "key", ``, 422, "invalid", fields("cursor")},
	{"no such revocation", "GET", revokePath + "/user/nobody", "key", ``, 404, "not_found", nil},
	{"no kind of revocation", "GET", revokePath + "/role/driver", "key", ``, 404, "not_found", nil},
	{"end of no revocation", "DELETE", revokePath + "/token/%2F", "key", ``, 404, "not_found", nil},

	// tokens
	{"token with a wide acl", "POST", tokenPath, "key", `{"user":"ana","acl":{"publish":["acme/#","globex/#"]}}`, 403, "outside_wall", fields("/acl/publish/1")},
	{"token with an acl of no filter", "POST", tokenPath, "key", `{"user":"ana","acl":{"subscribe":["a#"]}}`, 422, "invalid", fields("/acl/subscribe/0")},
	{"token with an acl of null", "POST", tokenPath, "key", `{"user":"ana","acl":{"subscribe":null}}`, 422, "invalid", fields("/acl/subscribe")},
	{"token with an acl of something else", "POST", tokenPath, "key", `{"user":"ana","acl":{"retain":[]}}`, 422, "invalid", fields("/acl/retain")},
	{"user with a slash", "POST", tokenPath, "key", `{"user":"a/b"}`, 422, "invalid", fields("/user")},
	{"user with a plus", "POST", tokenPath, "key", `{"user":"a+"}`, 422, "invalid", fields("/user")},
	{"user with a hash", "POST", tokenPath, "key", `{"user":"#"}`, 422, "invalid", fields("/user")},
	{"user with NUL", "POST", tokenPath, "key", `{"user":"a\u0000b"}`, 422, "invalid", fields("/user")},
	{"device with a slash", "POST", tokenPath, "key", `{"user":"ana","device":"a/b"}`, 422, "invalid", fields("/device")},
	{"tag with a hash", "POST", tokenPath, "key", `{"user":"ana","tags":["ok","a#"]}`, 422, "invalid", fields("/tags/1")},
	{"token too long", "POST", tokenPath, "key", `{"user":"ana","ttl_seconds":2592001}`, 422, "invalid", fields("/ttl_seconds")},
	{"token's TTL no integer", "POST", tokenPath, "key", `{"user":"ana","ttl_seconds":1.5}`, 422, "invalid", fields("/ttl_seconds")},
	{"token's TTL odd", "POST", tokenPath, "key", `{"user":"ana","ttl_seconds":1e2}`, 422, "invalid", fields("/ttl_seconds")},

	// push
	{"no target", "POST", pushPath, "key", `{` + note + `}`, 422, "invalid", fields("/to")},
	{"empty target", "POST", pushPath, "key", `{"to":{},` + note + `}`, 422, "invalid", fields("/to")},
	{"two targets", "POST", pushPath, "key", `{"to":{"user":"a","everyone":true},` + note + `}`, 422, "invalid", fields("/to")},
	{"not everyone", "POST", pushPath, "key", `{"to":{"everyone":false},` + note + `}`, 422, "invalid", fields("/to/everyone")},
	{"unknown target", "POST", pushPath, "key", `{"to":{"group":"a"},` + note + `}`, 422, "invalid", fields("/to/group")},
	{"push to a user with a slash", "POST", pushPath, "key", `{"to":{"user":"a/b"},` + note + `}`, 422, "invalid", fields("/to/user")},
	{"push to everybody's users", "POST", pushPath, "key", `{"to":{"user":"+"},` + note + `}`, 422, "invalid", fields("/to/user")},
	{"push to a device with NUL", "POST", pushPath, "key", `{"to":{"device":"a\u0000"},` + note + `}`, 422, "invalid", fields("/to/device")},
	{"push to a wildcard", "POST", pushPath, "key", `{"to":{"topic":"a/#"},` + note + `}`, 422, "invalid", fields("/to/topic")},
	{"push to no level", "POST", pushPath, "key", `{"to":{"topic":"a//b"},` + note + `}`, 422, "invalid", fields("/to/topic")},
	{"own id", "POST", pushPath, "key", `{"to":{"user":"a"},"notification":{"id":"x","title":"x","body":"y"}}`, 422, "invalid", fields("/notification/id")},
	{"no title, wrong body", "POST", pushPath, "key", `{"to":{"user":"a"},"notification":{"body":5}}`, 422, "invalid", fields("/notification/body", "/notification/title")},
	{"QoS 3", "POST", pushPath, "key", `{"to":{"user":"a"},` + note + `,"qos":3}`, 422, "invalid", fields("/qos")},
	{"TTL 0", "POST", pushPath, "key", `{"to":{"user":"a"},` + note + `,"ttl_seconds":0}`, 422, "invalid", fields("/ttl_seconds")},
	{"TTL over the retention", "POST", pushPath, "key", `{"to":{"user":"a"},` + note + `,"ttl_seconds":604801}`, 422, "invalid", fields("/ttl_seconds")},
	{"large notification", "POST", pushPath, "key", `{"to":{"user":"a"},"notification":{"title":"x","body":"y","more":"` + strings.Repeat("x", 256<<10) + `"}}`, 413, "payload_too_large", fields("/notification")},
	{"large body", "POST", pushPath, "key", `{"to":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "payload_too_large", nil},
	{"large sign-up", "POST", "/v1/signup", "", `{"to":"` + strings.Repeat("x", 17<<10) + `"}`, 413, "payload_too_large", nil},

	// publish
	{"outside the wall", "POST", pubPath, "key", `{"topic":"globex/chat/x","payload":""}`, 403, "outside_wall", fields("/topic")},
	{"the wall itself", "POST", pubPath, "key", `{"topic":"acme","payload":""}`, 403, "outside_wall", fields("/topic")},
	{"nearly the wall", "POST", pubPath, "key", `{"topic":"acme2/x","payload":""}`, 403, "outside_wall", fields("/topic")},
	{"leading slash", "POST", pubPath, "key", `{"topic":"/acme/x","payload":""}`, 403, "outside_wall", fields("/topic")},
	{"the server's topics", "POST", pubPath, "key", `{"topic":"$SYS/x","payload":""}`, 403, "outside_wall", fields("/topic")},
	{"publish to a wildcard", "POST", pubPath, "key", `{"topic":"+/chat/x","payload":""}`, 422, "invalid", fields("/topic")},
	{"publish to NUL", "POST", pubPath, "key", `{"topic":"acme/\u0000","payload":""}`, 422, "invalid", fields("/topic")},
	{"no base64", "POST", pubPath, "key", `{"topic":"acme/chat/x","payload":"%%","encoding":"base64"}`, 422, "invalid", fields("/payload")},
	{"unknown encoding", "POST", pubPath, "key", `{"topic":"acme/chat/x","payload":"","encoding":"hex"}`, 422, "invalid", fields("/encoding")},
	{"large payload", "POST", pubPath, "key", `{"topic":"acme/chat/x","payload":"` + strings.Repeat("x", 256<<10+1) + `"}`, 413, "payload_too_large", fields("/payload")},
	{"empty collapse key", "POST", pubPath, "key", `{"topic":"acme/chat/x","payload":"","collapse_key":""}`, 422, "invalid", fields("/collapse_key")},
	{"long collapse key", "POST", pubPath, "key", `{"topic":"acme/chat/x","payload":"","collapse_key":"` + strings.Repeat("é", 33) + `"}`, 422, "invalid", fields("/collapse_key")},
	{"content type with a line", "POST", pubPath, "key", `{"topic":"acme/chat/x","payload":"","content_type":"a\nb"}`, 422, "invalid", fields("/content_type")},

	// access rules
	{"rule outside the wall", "PUT", aclPath, "key", `{"rules":[{"effect":"allow","action":"all","topic":"globex/#","who":{"everyone":true}}]}`, 0, "", fields("/rules/0/topic")},
	{"ill-formed rule", "PUT", aclPath, "key", `{"rules":[{"effect":"allow","action":"all","topic":"acme/chat/a","who":{"everyone":true}},{"effect":"allow","action":"all","topic":"acme/a#","who":{"everyone":true}}]}`, 422, "invalid", fields("/rules/1/topic")},
	{"unknown effect and nobody", "PUT", aclPath, "key", `{"rules":[{"effect":"permit","action":"all","topic":"acme/#","who":{}}]}`, 422, "invalid", fields("/rules/0/effect", "/rules/0/who")},
	// signing keys
	{"unknown algorithm", "POST", signPath, "key", `{"alg":"HS512"}`, 422, "invalid", fields("/alg")},
	{"no algorithm", "POST", signPath, "key", `{"alg":"none"}`, 422, "invalid", fields("/alg")},
	{"RS256 without a key", "POST", signPath, "key", `{"alg":"RS256"}`, 422, "invalid", fields("/alg")},
	{"RS256 with a secret", "POST", signPath, "key", `{"alg":"RS256","secret":"` + strings.Repeat("x", 32) + `"}`, 422, "invalid", fields("/alg")},
	{"HS256 with a public key", "POST", signPath, "key", jsonOf(map[string]any{"alg": "HS256", "public_key_pem": authorityPEM("x")}), 422, "invalid", fields("/alg")},
	{"another algorithm than the key's", "POST", signPath, "key", jsonOf(map[string]any{"alg": "RS256", "public_key_pem": authorityPEM("x")}), 422, "invalid", fields("/alg")},
	{"a public key as secret", "POST", signPath, "key", jsonOf(map[string]any{"secret": authorityPEM("x")}), 422, "invalid", fields("/secret")},
	{"short secret", "POST", signPath, "key", `{"secret":"short"}`, 422, "invalid", fields("/secret")},
	{"long secret", "POST", signPath, "key", `{"secret":"` + strings.Repeat("é", 513) + `"}`, 422, "invalid", fields("/secret")},
	{"no PEM", "POST", signPath, "key", `{"public_key_pem":"hello"}`, 422, "invalid", fields("/public_key_pem")},
	{"private key", "POST", signPath, "key", jsonOf(map[string]any{"public_key_pem": privateKeyPEM}), 422, "invalid", fields("/public_key_pem")},
	{"private JWK", "POST", signPath, "key", `{"public_key_jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}}`, 422, "invalid", fields("/public_key_jwk")},
	{"symmetric JWK", "POST", signPath, "key", `{"public_key_jwk":{"kty":"oct","k":"AQ"}}`, 422, "invalid", fields("/public_key_jwk")},
	{"JWK a text", "POST", signPath, "key", `{"public_key_jwk":"x"}`, 422, "invalid", fields("/public_key_jwk")},
	{"two keys", "POST", signPath, "key", jsonOf(map[string]any{"secret": strings.Repeat("x", 32), "public_key_pem": authorityPEM("x")}), 422, "invalid", fields("/public_key_pem")},
	{"key that has ended", "POST", signPath, "key", `{"expires_at":"2020-01-01T00:00:00Z"}`, 422, "invalid", fields("/expires_at")},
	{"end that is no time", "POST", signPath, "key", `{"expires_at":"tomorrow"}`, 422, "invalid", fields("/expires_at")},
	{"name with a line", "POST", signPath, "key", `{"name":"a\nb"}`, 422, "invalid", fields("/name")},
	{"unknown field of a key", "POST", signPath, "key", `{"private_key":"x"}`, 422, "invalid", fields("/private_key")},
	{"no kid", "GET", signPath + "/sk_x", "key", ``, 404, "not_found", nil},
	{"cursor of something else", "GET", signPath + "?cursor=ca_1", "key", ``, 422, "invalid", fields("cursor")},

	// key sets
	{"no URL", "POST", setPath, "key", `{}`, 422, "invalid", fields("/url")},
	{"URL without TLS", "POST", setPath, "key", `{"url":"http://issuer.example.com/jwks"}`, 422, "invalid", fields("/url")},
	{"URL of this machine", "POST", setPath, "key", `{"url":"http://127.0.0.1/jwks"}`, 422, "invalid", fields("/url")},
	{"URL of an inner network", "POST", setPath, "key", `{"url":"https://10.0.0.1/jwks"}`, 422, "invalid", fields("/url")},
	{"URL of the metadata", "POST", setPath, "key", `{"url":"https://[::ffff:169.254.169.254]/jwks"}`, 422, "invalid", fields("/url")},
	{"URL with a password", "POST", setPath, "key", `{"url":"https://a:b@issuer.example.com/jwks"}`, 422, "invalid", fields("/url")},
	{"URL of a file", "POST", setPath, "key", `{"url":"file:///etc/passwd"}`, 422, "invalid", fields("/url")},
	{"URL and name", "POST", setPath, "key", `{"url":"x","name":" x "}`, 422, "invalid", fields("/name", "/url")},
	{"no key set", "GET", setPath + "/ks_x", "key", ``, 404, "not_found", nil},

	{"no rules", "PUT", aclPath, "key", `{}`, 422, "invalid", fields("/rules")},
}

func TestBadInput(t *testing.T) {
	s := newServer(t)
	member := s.member("acme", "owner")
	tokens := map[string]string{
		"": "", "member": member, "key": s.app(member, "chat"),
		"wrong key": auth.NewAPIKeySecret(), "wrong token": auth.NewSessionToken(),
	}
	ids := s.credentials("acme", "chat")
	for i, c := range badInputs {
		t.Run(c.name, func(t *testing.T) {
			token, known := tokens[c.as]
			if !known {
				token = c.as
			}
			var body any
			if c.method != http.MethodGet {
				body = c.body
			}
			// Each from another address, so that no limit comes between.
			got := s.call(c.method, ids.Replace(c.path), token, body, "Remote", "10.0.0."+string(rune('0'+i%10))+":1")
			if c.status == 0 { // a rule outside the wall: either code says it
				c.status, c.code = got.StatusCode, got.want(t, got.StatusCode)["code"].(string)
				if c.code != "invalid" && c.code != "outside_wall" {
					t.Errorf("code %s", c.code)
				}
			}
			if fields := got.problem(t, c.status, c.code); !slices.Equal(fields, c.fields) {
				t.Errorf("fields %q, want %q: %s", fields, c.fields, got.text)
			}
		})
	}
	if len(s.bus.messages) != 0 {
		t.Error("bad input was published")
	}
	for _, secret := range []string{"ffk_", "ffs_", "correct horse", "password123", privateKeyPEM[40:80], "nWGxne"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	// The server goes on.
	s.call("POST", "/v1/signup", "", signUpBody).want(t, http.StatusCreated)
}

func TestMediaTypes(t *testing.T) {
	s := newServer(t)
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/xml"} {
		s.call("POST", "/v1/signup", "", signUpBody, "Content-Type", contentType).problem(t, 415, "unsupported_media_type")
	}
	s.call("POST", "/v1/signup", "", signUpBody, "Content-Encoding", "gzip").problem(t, 415, "unsupported_media_type")
	s.call("POST", "/v1/signup", "", signUpBody, "Content-Type", "Application/JSON; charset=UTF-8").want(t, http.StatusCreated)
}
