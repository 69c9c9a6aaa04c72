package badger

import (
	"log/slog"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/customerportal-go/customerportal/storage/internal/enginelog"
)

// redactingLogger forwards the messages of the engine: warnings and errors at their level,
// all others at debug level, because the engine logs a dozen lines at each Open and Close.
type redactingLogger struct{ to *slog.Logger }

var _ engine.Logger = redactingLogger{}

func (q redactingLogger) Errorf(format string, args ...any)   { q.log(slog.LevelError, format, args) }
func (q redactingLogger) Warningf(format string, args ...any) { q.log(slog.LevelWarn, format, args) }
func (q redactingLogger) Infof(format string, args ...any)    { q.log(slog.LevelDebug, format, args) }
func (q redactingLogger) Debugf(format string, args ...any)   { q.log(slog.LevelDebug, format, args) }

func (q redactingLogger) log(level slog.Level, format string, args []any) {
	l := enginelog.Logger{To: q.to, Message: "storage/badger: message from the engine", Sanitize: sanitizeError}
	l.Log(level, format, args)
}
