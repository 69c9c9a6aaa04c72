package badger

import (
	"context"
	"log/slog"
	"strings"
	"time"

	engine "github.com/dgraph-io/badger/v4"
)

// redactingLogger forwards the messages of the engine: warnings and errors at their level,
// all others at debug level, because the engine logs a dozen lines at each Open and Close.
// It drops every argument that may contain a key or value, because the engine logs both in
// messages about compactions and reads.
type redactingLogger struct{ to *slog.Logger }

var _ engine.Logger = redactingLogger{}

func (q redactingLogger) Errorf(format string, args ...any)   { q.log(slog.LevelError, format, args) }
func (q redactingLogger) Warningf(format string, args ...any) { q.log(slog.LevelWarn, format, args) }
func (q redactingLogger) Infof(format string, args ...any)    { q.log(slog.LevelDebug, format, args) }
func (q redactingLogger) Debugf(format string, args ...any)   { q.log(slog.LevelDebug, format, args) }

func (q redactingLogger) log(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if !q.to.Enabled(ctx, level) {
		return
	}
	if !strings.Contains(format, "%") && len(args) == 0 && len(format) > 200 {
		return // a table, not a message
	}
	var safe []any
	for _, arg := range args {
		switch v := arg.(type) {
		case error:
			safe = append(safe, sanitizeError("background task", v).Error())
		case bool, int, int32, int64, uint, uint32, uint64, time.Duration:
			safe = append(safe, v)
		}
	}
	attrs := []slog.Attr{slog.String("engine", strings.TrimSpace(format))}
	if len(safe) > 0 {
		attrs = append(attrs, slog.Any("values", safe))
	}
	q.to.LogAttrs(ctx, level, "storage/badger: message from the engine", attrs...)
}
