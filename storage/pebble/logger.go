package pebble

import (
	"log/slog"

	engine "github.com/cockroachdb/pebble/v2"

	"github.com/customerportal-go/customerportal/storage/internal/enginelog"
)

// redactingLogger forwards the messages of the engine.
type redactingLogger struct {
	to    *slog.Logger
	fatal func(reason string) // ends the process
}

var _ engine.Logger = redactingLogger{}

// Infof implements the engine's logger.
func (q redactingLogger) Infof(format string, args ...any) { q.log(slog.LevelDebug, format, args) }

// Errorf implements the engine's logger.
func (q redactingLogger) Errorf(format string, args ...any) { q.log(slog.LevelError, format, args) }

// Fatalf implements the engine's logger. The state of the engine is undefined if it returns.
func (q redactingLogger) Fatalf(format string, args ...any) {
	q.log(slog.LevelError, format, args)
	q.fatal("the engine cannot continue")
}

func (q redactingLogger) log(level slog.Level, format string, args []any) {
	l := enginelog.Logger{To: q.to, Message: "storage/pebble: message from the engine", Sanitize: sanitizeError}
	l.Log(level, format, args)
}
