package storagetest

import (
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// watchdogTimeout is the maximum duration of a test, including the Close of its store.
const watchdogTimeout = 20 * time.Minute

// watch terminates the process if t, including its cleanup, has not ended after
// watchdogTimeout or shortly before the timeout of go test. This is needed because a test
// that is blocked in its store cannot end. watch must be called before the store is opened.
func watch(t *testing.T) {
	t.Helper()
	limit := watchdogTimeout
	if deadline, ok := t.Deadline(); ok {
		limit = min(limit, time.Until(deadline)*19/20)
	}
	watchFor(t, limit, func(report string) {
		fmt.Fprintln(os.Stderr, report)
		panic("storagetest: test timed out; its goroutines are printed above")
	})
}

// watchFor calls fire with the stacks of all goroutines if t has not ended after limit.
func watchFor(t testing.TB, limit time.Duration, fire func(report string)) {
	timer := time.AfterFunc(limit, func() {
		var all strings.Builder
		fmt.Fprintf(&all, "storagetest: %s has not ended after %v. The backend may have a deadlock. All goroutines:\n\n", t.Name(), limit)
		_ = pprof.Lookup("goroutine").WriteTo(&all, 2) // writing to a Builder does not fail
		fire(all.String())
	})
	t.Cleanup(func() { timer.Stop() }) // cleanups run in reverse order, so this runs after the Close of the store
}
