package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Metrics receives the figures of each request after its response was written. The handler may call ServedRequest concurrently.
type Metrics interface {
	ServedRequest(ctx context.Context, r Served)
}

// Served describes a request that has been answered. It contains no content of the request or the response, so it is safe to
// log.
type Served struct {
	RequestID   string
	WorkspaceID uuid.UUID // zero if the request was not authenticated
	Method      string
	Route       string // such as "/customers/push_data"; empty if the path is not one of the API
	Status      int    // 499 if the client had disconnected
	ErrorType   string // error.type of the response, such as "invalid_input"; empty if the request succeeded
	BytesIn     int64  // bytes read of the body
	BytesOut    int    // bytes written of the body of the response
	Duration    time.Duration
}

// LogValue returns the fields as a group. It omits an empty ErrorType and a zero WorkspaceID.
func (s Served) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("request_id", s.RequestID), slog.String("method", s.Method), slog.String("route", s.Route),
		slog.Int("status", s.Status), slog.Int64("bytes_in", s.BytesIn), slog.Int("bytes_out", s.BytesOut),
		slog.Duration("duration", s.Duration),
	}
	if s.ErrorType != "" {
		attrs = append(attrs, slog.String("error_type", s.ErrorType))
	}
	if s.WorkspaceID != uuid.Nil {
		attrs = append(attrs, slog.String("workspace_id", s.WorkspaceID.String()))
	}
	return slog.GroupValue(attrs...)
}

// report logs a request that has been answered and sends its figures to the metrics.
func (h *Handler) report(c *call, start time.Time) {
	s := c.served
	s.RequestID, s.Method, s.Duration = c.id, c.r.Method, h.db.Now().Sub(start)
	if c.route != nil {
		s.Route = c.route.path
	}
	if c.ws != nil {
		s.WorkspaceID = c.ws.ID()
	}
	level := slog.LevelInfo
	if s.Status >= http.StatusInternalServerError && s.Status != http.StatusNotImplemented {
		level = slog.LevelError
	}
	h.db.Logger().LogAttrs(c.r.Context(), level, "request", s.LogValue().Group()...)
	if h.options.Metrics != nil {
		h.options.Metrics.ServedRequest(c.r.Context(), s)
	}
}

// writeError writes the response to an error. It logs the error if the response does not contain its text.
func (c *call) writeError(err error) {
	response := responseTo(err)
	c.served.ErrorType = response.kind
	if response.status >= http.StatusInternalServerError && err != error(response) { //nolint:errorlint // identity: a wrapped error has more text than the response
		c.h.db.Logger().ErrorContext(c.r.Context(), "request failed", "request_id", c.id, "error", err.Error())
	}
	if response.status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body := jsonObject{"type": response.kind, "message": response.message, "request_id": c.id}
	if response.faults != nil {
		body["validation_errors"] = newFaultTree(response.faults)
	}
	c.writeJSON(response.status, jsonObject{"ok": false, "error": body})
}

// writeJSON writes a response. body is either encoded JSON as a []byte or a value to encode.
func (c *call) writeJSON(status int, body any) {
	b, encoded := body.([]byte)
	if !encoded {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			c.writeError(err)
			return
		}
		b = buf.Bytes()
	}
	header := c.w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(b)))
	header.Set("Cache-Control", "no-store") // some responses contain portal links
	header.Set("X-Content-Type-Options", "nosniff")
	if c.id != "" {
		header.Set(RequestIDHeader, c.id)
	}
	c.served.Status = status
	c.w.WriteHeader(status)
	c.served.BytesOut, _ = c.w.Write(b) // an error means that the client has disconnected
}

// panicText returns the text of a panic for the log: the message of a runtime error, otherwise only the type of the value,
// because the value of a panic of other code may contain secrets.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}
