package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// TestForward_SeveralPieces_AreForwardedInOrderAfterTheDelay checks the least duration, which no other program can shorten.
func TestForward_SeveralPieces_AreForwardedInOrderAfterTheDelay(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	var to bytes.Buffer
	start := time.Now()
	require.NoError(t, forward(&to, io.MultiReader(strings.NewReader("one, "), strings.NewReader("two")), delay))
	require.GreaterOrEqual(t, time.Since(start), delay)
	require.Equal(t, "one, two", to.String())
}

// TestRun_NoServer_TableSaysNotMeasured is not parallel, because it sets an environment variable.
func TestRun_NoServer_TableSaysNotMeasured(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(postgrestest.EnvURL, "")
	t.Setenv("TMPDIR", "/nonexistent") // no server can be started there
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-short", "-only", "postgres-push,postgres-calls", "-dir", dir}, &out, io.Discard))
	require.Equal(t, 2, strings.Count(out.String(), "not measured"))
	require.NotContains(t, out.String(), "yes")
}
