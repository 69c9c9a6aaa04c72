package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func standalone(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), args, strings.NewReader(stdin), &out))
	return out.String()
}

func TestOnceTwice(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	first := standalone(t, "", "-once", "-dir", dir, "-base-url", "https://portal.example")
	require.Contains(t, first, "Pushed 374 resources")
	require.Contains(t, first, "created     98 spaces  142 user identities  134 access grants")
	require.NotContains(t, first, "Found customer")
	require.NotContains(t, first, "warning")
	require.Regexp(t, `"url": "https://portal\.example/0[0-9a-z]{32}"`, first)
	require.Contains(t, first, "would delete 1 space, 1 site, 40 rooms")

	second := standalone(t, "", "-once", "-dir", dir)
	require.Contains(t, second, `Found customer "atlantic-hotels" with 3 spaces, 3 sites, 80 rooms`)
	require.Contains(t, second, "unchanged   98 spaces  142 user identities  134 access grants")

	info, err := os.Stat(filepath.Join(dir, identityFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestLinksOpenInALaterRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NotContains(t, standalone(t, "", "-dir", dir), "Pushed", "it starts empty")
	first := standalone(t, "", "-demo", "-dir", dir)
	link := regexp.MustCompile(`http://\S+/0[0-9a-z]{32}`).FindString(first)
	require.NotEmpty(t, link)
	later := standalone(t, "\n"+link+"\n"+link[:len(link)-1]+"?\n", "-dir", dir)
	require.Contains(t, later, "134 reservations")
	require.Contains(t, later, "It opens nothing: portal: not a link of this service.")
}

// interrupting cancels when it is read, and then has nothing to say.
type interrupting struct {
	cancel context.CancelFunc
	never  chan struct{}
}

func (i interrupting) Read([]byte) (int, error) {
	i.cancel()
	<-i.never
	return 0, io.EOF
}

func TestItStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	in := interrupting{cancel, make(chan struct{})}
	defer close(in.never)
	require.NoError(t, run(ctx, []string{"-dir", t.TempDir()}, in, new(bytes.Buffer)))
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	for name, args := range map[string][]string{
		"a flag that is not":    {"-nope"},
		"an argument":           {"demo"},
		"a base URL that isn't": {"-base-url", "nonsense", "-dir", t.TempDir()},
		"a file as directory":   {"-dir", "main.go"},
	} {
		require.Error(t, run(t.Context(), args, strings.NewReader(""), &out), name)
	}
	require.NoError(t, run(t.Context(), []string{"-h"}, strings.NewReader(""), &out))

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, identityFile), []byte(`{"active_slot": 1, "masters": {}}`), 0o600))
	require.ErrorContains(t, run(t.Context(), []string{"-dir", dir}, strings.NewReader(""), &out), "the active slot 1 has no master")
	require.NoError(t, os.WriteFile(filepath.Join(dir, identityFile), []byte(`{`), 0o600))
	require.ErrorContains(t, run(t.Context(), []string{"-dir", dir}, strings.NewReader(""), &out), identityFile)
}
