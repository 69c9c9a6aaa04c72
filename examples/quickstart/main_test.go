package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADME_Program_MatchesQuickstart compares the program in the README and its output with this one.
func TestREADME_Program_MatchesQuickstart(t *testing.T) { //nolint:paralleltest // it replaces os.Stdout
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, program, found := strings.Cut(string(source), "\npackage main\n")
	require.True(t, found)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, shown, found := strings.Cut(string(readme), "```go\npackage main\n"+program+"```\n\n")
	require.True(t, found, "the program in the README differs from examples/quickstart")
	out := output(t, main)
	indented := "    " + strings.ReplaceAll(strings.TrimSuffix(out, "\n"), "\n", "\n    ") + "\n\n"
	require.True(t, strings.HasPrefix(shown, indented), "the output in the README differs from that of examples/quickstart:\n%s", out)
}

// output returns what run writes to the standard output, which must fit into the buffer of a pipe.
func output(t *testing.T, run func()) string {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	os.Stdout = write
	run()
	require.NoError(t, write.Close())
	out, err := io.ReadAll(read)
	require.NoError(t, err)
	return string(out)
}
