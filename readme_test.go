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

// TestREADME_Program_MatchesQuickstart compares the program in the README and its output with examples/quickstart.
func TestREADME_Program_MatchesQuickstart(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("examples/quickstart/main.go")
	require.NoError(t, err)
	_, program, found := strings.Cut(string(source), "\npackage main\n")
	require.True(t, found)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, shown, found := strings.Cut(string(readme), "```go\npackage main\n"+program+"```\n\n")
	require.True(t, found, "the program in the README differs from examples/quickstart")
	out, err := exec.CommandContext(t.Context(), "go", "run", "./examples/quickstart").Output()
	require.NoError(t, err)
	indented := "    " + strings.ReplaceAll(strings.TrimSuffix(string(out), "\n"), "\n", "\n    ") + "\n\n"
	require.True(t, strings.HasPrefix(shown, indented), "the output in the README differs from that of examples/quickstart:\n%s", out)
}

// TestREADME_Length_AtMost250Lines keeps the README short.
func TestREADME_Length_AtMost250Lines(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(readme), "\n"), 250)
}

// TestCONTRIBUTING_Packages_ListsEveryDirectory compares the list of packages with the module.
func TestCONTRIBUTING_Packages_ListsEveryDirectory(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}}", "./...").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	require.Greater(t, len(packages), 8)
	for _, name := range packages {
		_, folder, _ := strings.Cut(name, "customerportal-go/customerportal")
		if folder = path.Base(folder); folder != "." && !strings.Contains(name, "/internal/") {
			require.True(t, regexp.MustCompile(`(?m)^ +(test/)?`+folder+`/ `).Match(document), "CONTRIBUTING.md does not list %s/", folder)
		}
	}
}
