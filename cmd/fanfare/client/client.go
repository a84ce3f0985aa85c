// Package client talks to Fanfare's HTTP API: the few calls that a person at a
// terminal needs.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// timeout covers one call; the API answers in milliseconds, or after it has
// waited a few seconds for the message log.
const timeout = 30 * time.Second

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 8 << 20

// Client calls one server with one credential.
type Client struct {
	base   string
	bearer func() string // "": none
	http   *http.Client
}

// New returns a client for the API at base. An empty bearer sends none.
func New(base, bearer string) *Client {
	return NewSigned(base, always(bearer))
}

// NewSigned returns a client that asks for a new bearer at each call.
func NewSigned(base string, bearer func() string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), bearer: bearer, http: &http.Client{Timeout: timeout}}
}

func always(bearer string) func() string { return func() string { return bearer } }

// With returns the same client with another credential.
func (c *Client) With(bearer string) *Client {
	d := *c
	d.bearer = always(bearer)
	return &d
}

// Get reads a resource into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, nil, out)
}

// Post sends in and reads the answer into out.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	return c.send(ctx, http.MethodPost, path, in, out)
}

// Put replaces a resource and reads the answer into out.
func (c *Client) Put(ctx context.Context, path string, in, out any) error {
	return c.send(ctx, http.MethodPut, path, in, out)
}

// Patch changes a resource and reads the answer into out.
func (c *Client) Patch(ctx context.Context, path string, in, out any) error {
	return c.send(ctx, http.MethodPatch, path, in, out)
}

// Delete takes a resource away.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}

func (c *Client) send(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, method, path, body, out)
}

// do leaves an answer unread if out is nil.
func (c *Client) do(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer := c.bearer(); bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w", c.base, cause(err))
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost when a read body does not close
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("half an answer from %s: %w", c.base, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return problem(resp.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s does not answer like Fanfare's API; check the URL", c.base)
	}
	return nil
}

// cause leaves out the method and URL that *url.Error repeats.
func cause(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // http.Client returns this very type
		return u.Err
	}
	return err
}
