package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fanfare-mq/fanfare/api/spec"
	"github.com/fanfare-mq/fanfare/cmd/fanfare/client"
	"github.com/fanfare-mq/fanfare/tenant"
)

type signingKeyCmd struct {
	List   signingKeyListCmd   `cmd:"" help:"List an app's signing keys and when they were last used."`
	Create signingKeyCreateCmd `cmd:"" help:"Create a signing key: a new secret, shown once, or a public key of yours."`
	Rotate signingKeyRotateCmd `cmd:"" help:"Replace a signing key by a new one; tokens of both are good for a while."`
	Delete signingKeyDeleteCmd `cmd:"" help:"Delete a signing key; devices that are connected by it are disconnected."`
}

type signingKeyListCmd struct {
	appAccount
}

// Run lists all signing keys, page by page.
func (c *signingKeyListCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	keys := []spec.SigningKey{}
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := api.SigningKeys(ctx, c.App, cursor)
		if err != nil {
			return err
		}
		keys = append(keys, page.Items...)
		cursor = ""
		if page.NextCursor != nil {
			cursor = *page.NextCursor
		}
	}
	if c.JSON {
		raw, err := json.Marshal(keys)
		return t.answer(raw, err)
	}
	return t.signingKeys(keys)
}

func (t *terminal) signingKeys(keys []spec.SigningKey) error {
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "KID\tNAME\tALG\tFINGERPRINT\tENDS\tLAST USED\tREPLACED BY")
	for i := range keys {
		k := &keys[i]
		fingerprint, replaced := "-", "-"
		if k.Fingerprint != nil {
			fingerprint = (*k.Fingerprint)[:min(16, len(*k.Fingerprint))]
		}
		if k.ReplacedBy != nil {
			replaced = *k.ReplacedBy
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Kid, cmp.Or(k.Name, "-"), k.Alg, fingerprint,
			moment(k.ExpiresAt), moment(k.LastUsedAt), replaced)
	}
	return table.Flush()
}

// keyFiles are where keys of one's own are.
type keyFiles struct {
	PublicKey string `name:"public-key" placeholder:"FILE" xor:"key" help:"File with a public key or a certificate in PEM, or a JWK; - reads standard input."`
	Secret    string `name:"secret-file" placeholder:"FILE" xor:"key" help:"File with an HS256 secret of your own; - reads standard input. A line end behind it does not count."`
}

// read fills in what the files hold. A private key does not leave this machine.
func (f keyFiles) read(t *terminal, secret, pem **string, jwk **spec.PublicKeyJWK) error {
	switch {
	case f.Secret != "":
		data, err := t.file(f.Secret)
		text := strings.TrimRight(string(data), "\r\n")
		*secret = &text
		return err
	case f.PublicKey == "":
		return nil
	}
	data, err := t.file(f.PublicKey)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		if _, err := tenant.ParsePublicKeyJWK(data); err != nil {
			return usageError{fmt.Errorf("%s %w", f.PublicKey, err)}
		}
		*jwk = new(spec.PublicKeyJWK)
		return json.Unmarshal(data, *jwk)
	}
	if _, err := tenant.ParsePublicKeyPEM(string(data)); err != nil {
		return usageError{fmt.Errorf("%s %w", f.PublicKey, err)}
	}
	text := string(data)
	*pem = &text
	return nil
}

// file reads a file, or standard input.
func (t *terminal) file(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(t.stdin)
	}
	return os.ReadFile(name) //nolint:gosec // it is the user's own choice
}

type signingKeyCreateCmd struct {
	appAccount
	keyFiles
	Name    string        `arg:"" optional:"" help:"Name for people."`
	Expires time.Duration `name:"expires" placeholder:"DURATION" help:"After how long it ends, for instance 2160h; never without it."`
}

// Run creates the key.
func (c *signingKeyCreateCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	request := spec.SigningKeyRequest{Name: client.Optional(c.Name)}
	if request.ExpiresAt, err = endAfter(c.Expires); err != nil {
		return err
	}
	if err := c.read(t, &request.Secret, &request.PublicKeyPem, &request.PublicKeyJwk); err != nil {
		return err
	}
	answer, err := api.CreateSigningKey(ctx, c.App, request)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	t.say("Signing key %s is ready for %s.", answer.Value.Kid, answer.Value.Alg)
	t.signingSecret(answer.Value)
	return nil
}

// signingSecret shows a key's secret if the server has made it.
func (t *terminal) signingSecret(key spec.CreatedSigningKey) {
	if key.Secret != nil {
		t.say("Its secret is shown this once:")
		t.say("  %s", *key.Secret)
	}
}

type signingKeyRotateCmd struct {
	appAccount
	keyFiles
	KID     string         `arg:"" help:"The key's kid (sk_…)."`
	Overlap *time.Duration `name:"overlap" placeholder:"DURATION" help:"How long tokens of the old key stay good, for instance 1h; the server's default without it."`
	Expires time.Duration  `name:"expires" placeholder:"DURATION" help:"After how long the new key ends; with the old one's end without it."`
}

// Run rotates the key.
func (c *signingKeyRotateCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var request spec.SigningKeyRotation
	if c.Overlap != nil {
		overlap := int32(min(max(c.Overlap.Seconds(), -1), maxOverlap)) // the API says what is wrong with it
		request.OverlapSeconds = &overlap
	}
	if request.ExpiresAt, err = endAfter(c.Expires); err != nil {
		return err
	}
	if err := c.read(t, &request.Secret, &request.PublicKeyPem, &request.PublicKeyJwk); err != nil {
		return err
	}
	answer, err := api.RotateSigningKey(ctx, c.App, c.KID, request)
	if err != nil || c.JSON {
		return t.answer(answer.Raw, err)
	}
	key, last := answer.Value.SigningKey, answer.Value.Replaced
	t.say("Signing key %s for %s replaces %s, which is good until %s.", key.Kid, key.Alg, last.Kid, moment(last.ExpiresAt))
	t.signingSecret(key)
	return nil
}

type signingKeyDeleteCmd struct {
	appAccount
	KID string `arg:"" help:"The key's kid (sk_…)."`
}

// Run deletes the key.
func (c *signingKeyDeleteCmd) Run(ctx context.Context, t *terminal) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	if err := api.DeleteSigningKey(ctx, c.App, c.KID); err != nil {
		return err
	}
	if !c.JSON {
		t.say("Signing key %s is gone.", c.KID)
	}
	return nil
}
