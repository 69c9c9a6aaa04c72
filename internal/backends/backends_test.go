package backends_test

import (
	"fmt"
	"path"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// failing records the failure message of a test and does not fail it.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Errorf(format string, args ...any) { f.message += fmt.Sprintf(format, args...) }
func (f *failing) FailNow()                          { runtime.Goexit() }

func names(t testing.TB) (names []string) {
	for _, b := range backends.All(t) {
		names = append(names, b.Name)
	}
	return names
}

func TestAll_BackendThatIsNotRegistered_FailsTheTest(t *testing.T) {
	t.Setenv(backends.EnvOnly, "unknown")
	f := &failing{TB: t}
	ended := make(chan struct{})
	returned := false
	go func() {
		defer close(ended)
		names(f)
		returned = true
	}()
	<-ended
	require.False(t, returned)
	require.Contains(t, f.message, "unknown")
}

func TestAll_VariableNamesABackend_ReturnsOnlyThatBackend(t *testing.T) {
	t.Setenv(backends.EnvOnly, "")
	if backends.MemoryOnly() {
		require.Equal(t, []string{"memory"}, names(t), "with -short")
		t.Setenv(backends.EnvOnly, "badger")
		require.Equal(t, []string{"badger"}, names(t))
		return
	}
	before := names(t)
	require.Subset(t, before, []string{"memory", "badger"})
	backends.Register("third", func(testing.TB) (storage.Store, func() storage.Store) {
		s := memory.New()
		return s, func() storage.Store { return s }
	})
	require.Equal(t, append(before, "third"), names(t))
	for _, only := range names(t) {
		t.Setenv(backends.EnvOnly, only)
		require.Equal(t, []string{only}, names(t))
		t.Setenv(backends.EnvOnly, "")
	}
}

func TestEach_SizeOfTheTests_SelectsTheBackends(t *testing.T) {
	t.Setenv(backends.EnvOnly, "")
	run := func(each func(*testing.T, func(*testing.T, storage.Store))) (ran []string) {
		var mu sync.Mutex
		t.Run("each", func(t *testing.T) {
			each(t, func(t *testing.T, _ storage.Store) {
				mu.Lock()
				defer mu.Unlock()
				ran = append(ran, path.Base(t.Name()))
			})
		})
		return ran
	}
	if testsize.Full() || race.Enabled {
		require.ElementsMatch(t, names(t), run(backends.Each))
	} else {
		require.Equal(t, []string{"memory"}, run(backends.Each))
	}
	require.ElementsMatch(t, names(t), run(backends.EachAll))
	t.Setenv(backends.EnvOnly, "badger")
	require.Equal(t, []string{"badger"}, run(backends.Each))
	require.Equal(t, []string{"badger"}, run(backends.EachAll))
}
