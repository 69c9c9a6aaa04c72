package customerportal_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// idioms must not occur in Go comments and Markdown. Most of them make a clause with "what", "who" or "whether" a part of the
// sentence. Name the thing or the actor instead: "X returns the number of rows", not "X is how many rows there are".
var idioms = []string{
	"is whether", "are whether", "says whether", "whoever", "whom", "is none", "are none", "goes by", "becomes of", "is nobody", "but for",
	"in good order", "is what", "are what", "is who", "are who", "is how many", "is how much", "is how long", "what is left", "as it were",
	"is told", "are told", "what was typed", "what is shown", "what it says", "at the most", "whose every",
}

// TestLanguage_CommentsAndMarkdown_HaveNoIdioms checks all Go comments and Markdown files.
func TestLanguage_CommentsAndMarkdown_HaveNoIdioms(t *testing.T) {
	t.Parallel()
	files := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || slices.Contains([]string{"node_modules", "testdata", "dist"}, entry.Name())):
			return fs.SkipDir
		case entry.IsDir() || !slices.Contains([]string{".go", ".md"}, filepath.Ext(path)) || path == "language_test.go":
			return nil
		}
		contents, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		prose := contents
		if filepath.Ext(path) == ".go" {
			if prose, err = comments(path, contents); err != nil {
				return err
			}
		}
		for _, finding := range findIdioms(prose) {
			t.Errorf("%s:%s; write it in plain English", path, finding)
		}
		return nil
	}))
	require.Greater(t, files, 100)
}

// comments returns the contents of a Go file with everything except comments replaced with spaces. Lines keep their numbers.
func comments(path string, contents []byte) ([]byte, error) {
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, path, contents, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	prose := bytes.Repeat([]byte{' '}, len(contents))
	for i, c := range contents {
		if c == '\n' {
			prose[i] = '\n'
		}
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			at := positions.Position(comment.Pos()).Offset
			copy(prose[at:], strings.Replace(comment.Text, "//", "  ", 1))
		}
	}
	return prose, nil
}

// anyIdiom matches an idiom in any case, also across a line break, and the words before it that make it plain English:
// "or nil if there is none".
var anyIdiom = regexp.MustCompile(`(?i)\b(there\s+)?(` + strings.ReplaceAll(strings.Join(idioms, "|"), " ", `[ \t]*\s[ \t]*`) + `)\b`)

// findIdioms returns the idioms in a text, each with its line number. It ignores code blocks in Markdown.
func findIdioms(prose []byte) (findings []string) {
	prose = codeBlock.ReplaceAllFunc(prose, func(block []byte) []byte { return bytes.Repeat([]byte{'\n'}, bytes.Count(block, []byte{'\n'})) })
	for _, at := range anyIdiom.FindAllSubmatchIndex(prose, -1) {
		if at[2] >= 0 {
			continue
		}
		line := 1 + bytes.Count(prose[:at[0]], []byte{'\n'})
		findings = append(findings, fmt.Sprintf("%d: %q", line, strings.Join(strings.Fields(string(prose[at[0]:at[1]])), " ")))
	}
	return findings
}

var codeBlock = regexp.MustCompile("(?s)```.*?```")

func TestFindIdioms_InProse_ReturnsLineAndIdiom(t *testing.T) {
	t.Parallel()
	prose, err := comments("x.go", []byte("package x\n\n// It Is\n// whether a row exists.\nvar s = \"is whether\" // whoever\n"))
	require.NoError(t, err)
	require.Equal(t, []string{`3: "Is whether"`, `5: "whoever"`}, findIdioms(prose))
	require.Equal(t, []string{`5: "in good order"`}, findIdioms([]byte("Prose.\n```\nis whether\n```\nThere is none. All in good order.\nThis whatnot reports whether.\n")))
}
