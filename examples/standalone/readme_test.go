package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADME_RequestsInTheAPISection_Succeed runs every curl command of the section as it is printed. Only the address of
// the server is different.
func TestREADME_RequestsInTheAPISection_Succeed(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## The API\n")
	require.True(t, found)
	section, _, found = strings.Cut(section, "\n## ")
	require.True(t, found)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	require.Len(t, blocks, 2)

	start := regexp.MustCompile(`^CUSTOMERPORTAL_API_KEY=(\S+) go run ./examples/standalone\n$`).FindStringSubmatch(blocks[0][1])
	require.NotNil(t, start, "the first block starts the server")
	key := start[1]
	s := serving(t, map[string]string{apiKeyVariable: key}, "-dir", t.TempDir())

	setup, requests, _ := strings.Cut(blocks[1][1], "\n")
	require.Equal(t, "export API=http://127.0.0.1:8080 KEY="+key, setup, "the test replaces the address")
	commands := regexp.MustCompile(`(?m)^curl `).Split(requests, -1)[1:]
	require.GreaterOrEqual(t, len(commands), 13)
	for _, command := range commands {
		command = "curl " + command
		bash := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
		bash.Env = append(os.Environ(), "API="+s.url, "KEY="+key)
		out, err := bash.Output()
		require.NoError(t, err, command)
		var answer map[string]any
		require.NoError(t, json.Unmarshal(out, &answer), "%s\n%s", command, out)
		if strings.Contains(command, "openapi.json") {
			require.Equal(t, "3.0.3", answer["openapi"])
			continue
		}
		require.Equal(t, true, answer["ok"], "%s\n%s", command, out)
		require.Empty(t, answer["warnings"], "%s\n%s", command, out)
	}
}
