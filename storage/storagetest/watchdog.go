package storagetest

import (
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// watchdogWait is how long one test may take, including the Close of its store.
const watchdogWait = 20 * time.Minute

// watch ends the process if t, including its cleanup, has not ended after watchdogWait, or
// shortly before the timeout of go test.
// The test itself cannot end then: it waits for the store, and the store for itself.
// It must be called before the store is opened.
func watch(t *testing.T) {
	t.Helper()
	limit := watchdogWait
	if deadline, ok := t.Deadline(); ok {
		limit = min(limit, time.Until(deadline)*19/20)
	}
	watchFor(t, limit, func(report string) {
		fmt.Fprintln(os.Stderr, report)
		panic("storagetest: a test does not end; its goroutines are printed above")
	})
}

// watchFor calls bark with all goroutines if t has not ended after limit.
func watchFor(t testing.TB, limit time.Duration, fire func(report string)) {
	timer := time.AfterFunc(limit, func() {
		var all strings.Builder
		fmt.Fprintf(&all, "storagetest: %s has not ended after %v. The backend probably waits for itself. All goroutines:\n\n", t.Name(), limit)
		_ = pprof.Lookup("goroutine").WriteTo(&all, 2) // a Builder does not fail
		fire(all.String())
	})
	t.Cleanup(func() { timer.Stop() }) // cleanups run last in, first out: after the Close of the store
}
