package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/fanfare-mq/fanfare/fault"
)

// observe is the outermost layer: it names the request and logs how it ended.
// The log holds neither headers nor bodies nor queries, hence no secrets.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.now()
		from := a.clientOf(r)
		x := &exchange{id: requestIDOf(r), client: from, address: from.limited(), agent: agentOf(r)}
		ctx := context.WithValue(r.Context(), exchangeKey{}, x)
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		ww.Header().Set("X-Request-Id", x.id)
		method := r.Method
		r = r.WithContext(ctx)
		if method == http.MethodHead {
			r.Method = http.MethodGet // r is a copy; the server below leaves the body out
		}
		next.ServeHTTP(ww, r)
		a.logExchange(ctx, x, ended{method: method, path: r.URL.Path, status: ww.Status(), bytes: ww.BytesWritten(), took: a.now().Sub(start)})
	})
}

// ended is how a request ended.
type ended struct {
	method, path  string
	status, bytes int
	took          time.Duration
}

// logExchange logs what went well at debug, what the client did wrong at info,
// and what we did wrong at error.
func (a *API) logExchange(ctx context.Context, x *exchange, e ended) {
	level := slog.LevelDebug
	switch {
	case x.code == fault.Internal:
		level = slog.LevelError
	case e.status >= http.StatusInternalServerError && x.code != "":
		level = slog.LevelWarn
	case e.status >= http.StatusBadRequest:
		level = slog.LevelInfo
	}
	if !a.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", x.id), slog.String("method", e.method), slog.String("path", cut(e.path, 200)),
		slog.Int("status", e.status), slog.Int("bytes", e.bytes), slog.Duration("took", e.took), slog.String("client", x.address),
	}
	if x.route != "" {
		attrs = append(attrs, slog.String("route", x.route))
	}
	if x.caller != nil {
		attrs = append(attrs, slog.String("organization", x.caller.Organization), slog.String("app", x.caller.App))
	}
	if x.code != "" {
		attrs = append(attrs, slog.String("code", string(x.code)))
	}
	if x.err != nil && e.status >= http.StatusInternalServerError {
		attrs = append(attrs, slog.String("error", x.err.Error()))
	}
	a.log.LogAttrs(ctx, level, "request", attrs...)
}

// recoverPanic turns a panic into a problem and a line in the log.
func (a *API) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.recovered(w, r)
		next.ServeHTTP(w, r)
	})
}

func (a *API) recovered(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	a.log.ErrorContext(r.Context(), "panic in a handler", slog.String("request_id", exchangeOf(r.Context()).id),
		slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	if ww, ok := w.(middleware.WrapResponseWriter); ok && ww.Status() != 0 {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	a.fail(w, r, fmt.Errorf("panic: %v", v))
}

// secure sets the headers that keep browsers from making more of an answer
// than it is. Pages replace the policy by their own.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
