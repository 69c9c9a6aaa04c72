package customerportal_test

import (
	"os"
	"os/exec"
	"path"
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

// TestTheREADMENamesEveryPackage holds that the map of the folders is whole.
func TestTheREADMENamesEveryPackage(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}", "./...").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	require.Greater(t, len(packages), 8)
	for _, name := range packages {
		_, folder, _ := strings.Cut(name, "customerportal-go/customerportal")
		if folder = path.Base(folder); folder != "." && !strings.Contains(name, "/internal/") {
			require.True(t, regexp.MustCompile(`(?m)^ +`+folder+`/ `).Match(readme), "the map has no %s/", folder)
		}
	}
}
