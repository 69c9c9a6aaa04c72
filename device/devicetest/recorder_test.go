package devicetest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// recorder is a testing.TB that records the result of one check instead of reporting it.
type recorder struct {
	testing.TB

	mu       sync.Mutex
	failed   bool
	skipped  bool
	text     strings.Builder
	cleanups []func()
}

// record runs the check with the given name in a synctest bubble, in which a check that waits in vain fails at once.
func record(t *testing.T, target Target, name string) *recorder {
	t.Helper()
	c := checkNamed(t, name)
	r := &recorder{TB: t}
	synctest.Test(t, func(*testing.T) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer r.cleanup()
			runCheck(r, target, c)
		}()
		<-done
		synctest.Wait()
	})
	return r
}

func checkNamed(t *testing.T, name string) check {
	t.Helper()
	for _, g := range groups {
		for _, c := range g.checks {
			if c.name == name {
				return c
			}
		}
	}
	require.FailNow(t, "the suite has no check with this name", name)
	return check{}
}

func (r *recorder) cleanup() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func (r *recorder) set(flag *bool, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*flag = true
	r.text.WriteString(text)
}

func (r *recorder) Helper()                         {}
func (r *recorder) Cleanup(fn func())               { r.cleanups = append(r.cleanups, fn) }
func (r *recorder) Errorf(text string, args ...any) { r.set(&r.failed, fmt.Sprintf(text, args...)) }
func (r *recorder) FailNow()                        { r.set(&r.failed, ""); runtime.Goexit() }
func (r *recorder) Fatalf(text string, args ...any) {
	r.Errorf(text, args...)
	runtime.Goexit()
}
func (r *recorder) Skip(args ...any) { r.set(&r.skipped, fmt.Sprint(args...)); runtime.Goexit() }
func (r *recorder) Skipf(text string, args ...any) {
	r.set(&r.skipped, fmt.Sprintf(text, args...))
	runtime.Goexit()
}
