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
