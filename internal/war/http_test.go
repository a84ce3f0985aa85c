package war_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// caller calls the API with one credential over connections that stay open.
type caller struct {
	base   string // of the API
	bearer string
	client *http.Client
}

func newCaller(base string, connections int) *caller {
	return &caller{base: base, client: &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections},
	}}
}

// with is the same connections with another credential.
func (c *caller) with(bearer string) *caller {
	return &caller{base: c.base, bearer: bearer, client: c.client}
}

// answer is what the API says.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a body as it is; nil: none.
func (c *caller) do(ctx context.Context, method, path string, body []byte) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: text}, err
}

// must sends JSON, wants a 2xx and decodes it into out, unless that is nil.
func (c *caller) must(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	a, err := c.do(ctx, method, path, body)
	switch {
	case err != nil:
		return err
	case a.status/100 != 2:
		return fmt.Errorf("%s %s: %d %s", method, path, a.status, a.body)
	case out == nil:
		return nil
	}
	return json.Unmarshal(a.body, out)
}
