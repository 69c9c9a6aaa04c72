// Command readingorder counts the references from a file of package data to a file that comes later in the reading order of
// the package's doc.go. Run it in the root of the repository:
//
//	go run ./test/readingorder
//
// A reference is a pair of a file and a name: a function, method, type, constant or variable that the file uses and another
// file declares. The command exits with 1 if at least 20 % of the references are to later files, or if doc.go does not list
// each file exactly once.
package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	directory  = "data"
	maxPercent = 20
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "readingorder:", err)
		os.Exit(1)
	}
}

func run() error {
	fset := token.NewFileSet()
	files, err := parse(fset)
	if err != nil {
		return err
	}
	order, err := readingOrder(files)
	if err != nil {
		return err
	}
	references, err := references(fset, files)
	if err != nil {
		return err
	}
	later := map[string][]string{} // the names of later files that a file uses
	count := 0
	for r := range references {
		if slices.Index(order, r.to) > slices.Index(order, r.from) {
			later[r.from] = append(later[r.from], r.to+": "+r.name)
			count++
		}
	}
	for _, name := range order {
		slices.Sort(later[name])
		for _, use := range later[name] {
			fmt.Printf("%s -> %s\n", name, use)
		}
	}
	fmt.Printf("%d of %d references (%.0f %%) are to later files\n", count, len(references), 100*float64(count)/float64(len(references)))
	if 100*count >= maxPercent*len(references) {
		return fmt.Errorf("at least %d %% of the references are to later files", maxPercent)
	}
	return nil
}

// parse returns the files of the package, without its tests, by name.
func parse(fset *token.FileSet) (map[string]*ast.File, error) {
	paths, err := filepath.Glob(filepath.Join(directory, "*.go"))
	if err != nil {
		return nil, err
	}
	files := map[string]*ast.File{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		if files[filepath.Base(path)], err = parser.ParseFile(fset, path, nil, parser.ParseComments); err != nil {
			return nil, err
		}
	}
	return files, nil
}

var fileName = regexp.MustCompile(`\b[a-z_]+\.go\b`)

// readingOrder returns the names of the files in the order of doc.go.
func readingOrder(files map[string]*ast.File) ([]string, error) {
	doc := files["doc.go"]
	if doc == nil {
		return nil, fmt.Errorf("%s has no doc.go; run the command in the root of the repository", directory)
	}
	order := []string{"doc.go"}
	for _, comment := range doc.Comments {
		for _, name := range fileName.FindAllString(comment.Text(), -1) {
			switch {
			case files[name] == nil:
				return nil, fmt.Errorf("doc.go lists %s, which does not exist", name)
			case slices.Contains(order, name):
				return nil, fmt.Errorf("doc.go lists %s twice", name)
			}
			order = append(order, name)
		}
	}
	for name := range files {
		if !slices.Contains(order, name) {
			return nil, fmt.Errorf("doc.go does not list %s", name)
		}
	}
	return order, nil
}

// reference is the use in one file of a name that another file declares. A method's name includes its receiver.
type reference struct{ from, to, name string }

func references(fset *token.FileSet, files map[string]*ast.File) (map[reference]bool, error) {
	var all []*ast.File
	for _, file := range files {
		all = append(all, file)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := config.Check(directory, fset, all, &info)
	if err != nil {
		return nil, err
	}
	found := map[reference]bool{}
	for ident, object := range info.Uses {
		name := object.Name()
		function, isFunction := object.(*types.Func)
		switch {
		case object.Pkg() != pkg:
			continue
		case isFunction:
			name = function.Origin().FullName()
		case object.Parent() != pkg.Scope():
			continue // a field, a parameter or a local name
		}
		from := filepath.Base(fset.Position(ident.Pos()).Filename)
		to := filepath.Base(fset.Position(object.Pos()).Filename)
		if from != to {
			found[reference{from, to, strings.ReplaceAll(name, directory+".", "")}] = true
		}
	}
	return found, nil
}
