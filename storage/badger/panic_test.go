package badger

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

func TestCatchPanic_RuntimeError_KeepsValueAndStack(t *testing.T) {
	t.Parallel()
	var none []int
	err := catchPanic("get", func() error { return indexed(none, 7) })
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.ErrorContains(t, err, "index out of range [7] with length 0")
	require.ErrorContains(t, err, "badger.indexed")
	var fault *PanicError
	require.ErrorAs(t, err, &fault)
	require.ErrorContains(t, fault.Value().(error), "index out of range")
	require.Contains(t, fault.Stack(), "badger.indexed")
	require.Contains(t, fault.Stack(), "panic_test.go:")
	require.Contains(t, fault.Stack(), "TestCatchPanic_RuntimeError_KeepsValueAndStack")
}

//go:noinline
func indexed(s []int, i int) error { return errors.New(strings.Repeat("x", s[i])) }

func TestCatchPanic_ValueWithStoredBytes_IsNotInTheText(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, value := range []any{secret, []byte(secret), errors.New(secret), fmt.Errorf("key %q", secret)} {
		err := catchPanic("get", func() error { panic(value) })
		require.ErrorIs(t, err, storage.ErrCorrupt)
		var fault *PanicError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, value, fault.Value())
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fault.Stack()} {
			require.NotContains(t, text, secret)
		}
		require.ErrorContains(t, err, fmt.Sprintf("%T", value))
	}
}
