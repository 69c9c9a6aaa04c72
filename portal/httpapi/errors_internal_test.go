package httpapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/validation"
)

// treeJSON returns the validation_errors of faults at the paths, each with the message "m".
func treeJSON(t testing.TB, paths ...string) string {
	t.Helper()
	var faults []validation.Finding
	for _, path := range paths {
		faults = append(faults, validation.Finding{Path: path, Message: "m"})
	}
	b, err := json.Marshal(newFaultTree(faults))
	require.NoError(t, err)
	return string(b)
}

// TestFaultTree_Paths_BecomeLevels checks the format that the official SDKs parse.
func TestFaultTree_Paths_BecomeLevels(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"":                `{"_errors": ["m"]}`,
		"a":               `{"_errors": [], "a": {"_errors": ["m"]}}`,
		"a.b":             `{"_errors": [], "a": {"_errors": [], "b": {"_errors": ["m"]}}}`,
		"rooms[3].name":   `{"_errors": [], "rooms": {"_errors": [], "3": {"_errors": [], "name": {"_errors": ["m"]}}}}`,
		"keys[0]":         `{"_errors": [], "keys": {"_errors": [], "0": {"_errors": ["m"]}}}`,
		"_errors":         `{"_errors": ["m"]}`,
		"a._errors.b":     `{"_errors": [], "a": {"_errors": [], "b": {"_errors": ["m"]}}}`,
		"a[":              `{"_errors": [], "a": {"_errors": [], "": {"_errors": ["m"]}}}`,
		"..a":             `{"_errors": [], "a": {"_errors": ["m"]}}`,
		"a.b.c.d.e.f.g.h": `{"_errors": [], "a": {"_errors": [], "b": {"_errors": [], "c": {"_errors": [], "d": {"_errors": [], "e": {"_errors": [], "f": {"_errors": [], "g": {"_errors": [], "h": {"_errors": ["m"]}}}}}}}}}`,
	} {
		require.JSONEq(t, want, treeJSON(t, path), path)
	}
	require.JSONEq(t, "{\"_errors\": [], \"a\ufffd\": {\"_errors\": [], \"b\": {\"_errors\": [\"m\"]}}}", treeJSON(t, "a\xf7\x86.b"), "not UTF-8")
	require.JSONEq(t, `{"_errors": [], "a": {"_errors": ["m"], "b": {"_errors": ["m", "m"]}}}`, treeJSON(t, "a.b", "a", "a.b"))
}

// FuzzFaultTree checks that a path with names that a client chose creates no deep tree, and that its message is not lost.
func FuzzFaultTree(f *testing.F) {
	f.Add("rooms[3].name")
	f.Add(strings.Repeat("a.", 10_000))
	f.Add(strings.Repeat("[", 1000))
	f.Add(strings.Repeat("a[0].", 1000))
	f.Fuzz(func(t *testing.T, path string) {
		require.LessOrEqual(t, len(splitPath(path)), maxNesting)
		require.Equal(t, 1, strings.Count(treeJSON(t, path), `["m"]`)-strings.Count(path, `["m"]`))
	})
}
