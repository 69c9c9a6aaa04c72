// Package enginelog forwards the messages of an engine to a logger without the keys and
// values in them.
package enginelog

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// Logger forwards the messages of an engine. It drops every argument that may contain a key
// or value, because engines log both in messages about compactions and reads.
type Logger struct {
	To      *slog.Logger
	Message string // the message; the format of the engine is an attribute

	// Sanitize returns an error without keys and values.
	Sanitize func(operation string, err error) error
}

// Log forwards one message.
func (l Logger) Log(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if !l.To.Enabled(ctx, level) {
		return
	}
	if !strings.Contains(format, "%") && len(args) == 0 && len(format) > 200 {
		return // a table, not a message
	}
	var safe []any
	for _, arg := range args {
		switch v := arg.(type) {
		case error:
			safe = append(safe, l.Sanitize("background task", v).Error())
		case bool, int, int32, int64, uint, uint32, uint64, time.Duration:
			safe = append(safe, v)
		}
	}
	attrs := []slog.Attr{slog.String("engine", strings.TrimSpace(format))}
	if len(safe) > 0 {
		attrs = append(attrs, slog.Any("values", safe))
	}
	l.To.LogAttrs(ctx, level, l.Message, attrs...)
}
