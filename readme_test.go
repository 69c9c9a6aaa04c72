package customerportal_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheREADMEShowsTheExample holds that the README's Go is what the Example runs.
func TestTheREADMEShowsTheExample(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	body := regexp.MustCompile(`(?s)func Example\(\) \{\n(.*?)\n\t// Output:`).FindSubmatch(source)
	require.NotNil(t, body)
	lines := strings.Split(string(body[1]), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "\t")
	}
	shown := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindSubmatch(readme)
	require.NotNil(t, shown)
	require.Equal(t, strings.Join(lines, "\n"), string(shown[1]))
}

// TestTheREADMENamesEveryFolder holds that the map of the folders is whole.
func TestTheREADMENamesEveryFolder(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && entry.Name() != "customerportal-data" {
			require.Contains(t, string(readme), "\n    "+entry.Name()+"/")
		}
	}
}
