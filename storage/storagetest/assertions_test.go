package storagetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests of this package run in other modules, whose authors may not know them. Every
// assertion therefore needs a message.
func TestAssertions_EveryCall_HasAMessage(t *testing.T) {
	t.Parallel()
	arguments := map[string]int{ // number of arguments without the message
		"NoError": 2, "Error": 2, "True": 2, "False": 2, "Empty": 2, "Nil": 2, "NotNil": 2, "Zero": 2, "NotZero": 2,
		"Panics": 2, "FailNow": 2, "Equal": 3, "ErrorIs": 3, "Len": 3, "GreaterOrEqual": 3, "LessOrEqual": 3,
		"Contains": 3, "Same": 3, "PanicsWithValue": 3,
	}
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	found := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file.Name(), nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			of, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if name, ok := of.X.(*ast.Ident); !ok || name.Name != "require" {
				return true
			}
			found++
			require.Contains(t, arguments, of.Sel.Name)
			require.Greater(t, len(call.Args), arguments[of.Sel.Name], "%s: an assertion has no message", set.Position(call.Pos()))
			return true
		})
	}
	require.Greater(t, found, 200)
}
