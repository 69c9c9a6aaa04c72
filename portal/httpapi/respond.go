package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Metrics is told of every request after its answer. It is called from many
// goroutines at once.
type Metrics interface {
	ServedRequest(ctx context.Context, r Served)
}

// Served is what a request came to. It holds nothing of what was asked or answered, so
// that it can be logged and counted.
type Served struct {
	RequestID   string
	WorkspaceID uuid.UUID // zero where it was unauthorized
	Method      string
	Route       string // such as "/customers/push_data"; empty where there is none
	Status      int    // 499 where the client had gone
	ErrorType   string // such as "invalid_input"; empty where it was served
	BytesIn     int64  // of the body, as far as it was read
	BytesOut    int
	Duration    time.Duration
}

// LogValue is its fields.
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

// told logs a request and tells the metrics of it.
func (h *Handler) told(c *call, begun time.Time) {
	s := c.served
	s.RequestID, s.Method, s.Duration = c.id, c.r.Method, h.db.Now().Sub(begun)
	if c.route != nil {
		s.Route = c.route.path
	}
	if c.ws != nil {
		s.WorkspaceID = c.ws.ID()
	}
	level := slog.LevelInfo
	if s.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	h.db.Logger().LogAttrs(c.r.Context(), level, "request", s.LogValue().Group()...)
	if h.o.Metrics != nil {
		h.o.Metrics.ServedRequest(c.r.Context(), s)
	}
}

// write writes an answer, which may be JSON already.
func (c *call) write(status int, answer any) {
	b, written := answer.([]byte)
	if !written {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(answer); err != nil {
			c.fail(err)
			return
		}
		b = buf.Bytes()
	}
	header := c.out.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(b)))
	header.Set("Cache-Control", "no-store") // links are in some
	header.Set("X-Content-Type-Options", "nosniff")
	if c.id != "" {
		header.Set(RequestIDHeader, c.id)
	}
	c.served.Status = status
	c.out.WriteHeader(status)
	c.served.BytesOut, _ = c.out.Write(b) // the client may have gone
}
