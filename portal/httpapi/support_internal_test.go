package httpapi

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the tables of docs/api.md")

// documentedOperations returns the methods of each operation of the documented API, by path.
func documentedOperations(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/operations.txt")
	require.NoError(t, err)
	out := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		require.Greater(t, len(fields), 1, line)
		require.NotContains(t, out, fields[0], "the path is listed twice")
		out[fields[0]] = fields[1:]
	}
	require.Greater(t, len(out), 150)
	return out
}

func allRoutes() map[string]route {
	out := map[string]route{}
	for _, rt := range append(routes(), deviceRoutes()...) {
		out[rt.path] = rt
	}
	return out
}

// TestDocumentedOperations_AreInExactlyOneTable checks that each operation of the documented API is either a route or an unsupported
// operation, with the same methods.
func TestDocumentedOperations_AreInExactlyOneTable(t *testing.T) {
	t.Parallel()
	served, unsupported := allRoutes(), map[string]unsupportedOperation{}
	for _, op := range unsupportedOperations() {
		require.NotContains(t, unsupported, op.path, "the path is listed twice")
		require.NotContains(t, served, op.path, "the path is also a route")
		require.Contains(t, []support{later, never}, op.support)
		require.NotEmpty(t, op.reason)
		unsupported[op.path] = op
	}
	documented := documentedOperations(t)
	for path, methods := range documented {
		if rt, ok := served[path]; ok {
			require.ElementsMatch(t, methods, rt.methods, path)
			continue
		}
		require.Contains(t, unsupported, path, "the path is in no table")
		require.ElementsMatch(t, methods, unsupported[path].methods, path)
	}
	b, err := os.ReadFile("testdata/wire.json")
	require.NoError(t, err)
	var wire struct{ Paths map[string]any }
	require.NoError(t, json.Unmarshal(b, &wire))
	for path := range documented {
		_, checked := wire.Paths[path]
		_, has := served[path]
		require.Equal(t, has, checked, "testdata/wire.json must have exactly the supported operations: %s", path)
	}
	for path := range unsupported {
		require.Contains(t, documented, path, "the API does not document the path")
	}
}

const (
	docsFile  = "../../docs/api.md"
	docsBegin = "<!-- The tables are generated: go test ./portal/httpapi -run TestDocs -update -->\n"
	docsEnd   = "<!-- end of the tables -->\n"
)

// TestDocs_TablesOfOperations_MatchTheRoutes compares the tables of docs/api.md with the routes. With -update it writes them.
func TestDocs_TablesOfOperations_MatchTheRoutes(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(docsFile)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(b), docsBegin)
	require.True(t, found, "docs/api.md has no place for the tables")
	tables, after, found := strings.Cut(rest, docsEnd)
	require.True(t, found, "docs/api.md has no end of the tables")
	want := operationTables(t)
	if *update {
		require.NoError(t, os.WriteFile(docsFile, []byte(before+docsBegin+want+docsEnd+after), 0o644))
		return
	}
	require.True(t, want == tables, "docs/api.md is out of date: run go test ./portal/httpapi -run TestDocs -update")
}

// operationTables returns a table of the documented operations, and one of those that only this library has.
func operationTables(t *testing.T) string {
	t.Helper()
	var documented, own []string
	known := documentedOperations(t)
	for path, rt := range allRoutes() {
		if known[path] == nil {
			own = append(own, fmt.Sprintf("| `%s` | %s |\n", path, rt.summary))
		} else {
			documented = append(documented, fmt.Sprintf("| `%s` | %s | %s |\n", path, "supported", rt.summary))
		}
	}
	for _, op := range unsupportedOperations() {
		documented = append(documented, fmt.Sprintf("| `%s` | %s | %s |\n", op.path, op.support, strings.ToUpper(op.reason[:1])+op.reason[1:]))
	}
	byPath := func(a, b string) int {
		path := func(row string) string { return strings.Split(row, "`")[1] }
		return strings.Compare(path(a), path(b))
	}
	slices.SortFunc(documented, byPath)
	slices.SortFunc(own, byPath)
	return "\n| operation | support | summary or reason |\n|---|---|---|\n" + strings.Join(documented, "") +
		"\n## Operations that only this library has\n\n| operation | summary |\n|---|---|\n" + strings.Join(own, "") + "\n"
}
