// Standalone is the library in one binary: a workspace on disk in a Badger
// directory, with the keys that sign its links beside it.
//
//	go run ./examples/standalone -demo
//
// shows what the library does on a sample hotel group, then opens the links that
// are typed. With -once it ends after the demo; without -demo or -once it starts
// with what the directory has.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/badger"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "standalone:", err)
		os.Exit(1)
	}
}

// app is what the program works with.
type app struct {
	ws      *data.Workspace
	portals *portal.Service
	out     io.Writer
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	flags := flag.NewFlagSet("standalone", flag.ContinueOnError)
	flags.SetOutput(out)
	dir := flags.String("dir", "customerportal-data", "directory that keeps the data and the signing keys")
	baseURL := flags.String("base-url", "http://127.0.0.1:8080", "what comes before the code of a link")
	demo := flags.Bool("demo", false, "push a sample hotel group and show what the library does with it")
	once := flags.Bool("once", false, "the demo, then exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag", flags.Arg(0))
	}

	id, err := loadIdentity(*dir)
	if err != nil {
		return err
	}
	store, err := badger.Open(filepath.Join(*dir, "store"), badger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	portals, err := portal.New(store, portal.Options{BaseURL: *baseURL, Keys: id.keys})
	if err != nil {
		return err
	}
	a := &app{ws: data.NewWorkspace(store, id.workspace, data.Options{}), portals: portals, out: out}
	if _, err := a.ws.Recover(ctx); err != nil { // what a crash has left
		return err
	}
	if *demo || *once {
		if err := a.demo(ctx); err != nil {
			return err
		}
	}
	if *once {
		return nil
	}
	return a.openLinks(ctx, in)
}

// openLinks shows what each link that is typed opens, until the input ends.
func (a *app) openLinks(ctx context.Context, in io.Reader) error {
	a.print("\nPaste a link to see what it opens; end with Ctrl-D or Ctrl-C.\n")
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			select {
			case lines <- strings.TrimSpace(scanner.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, more := <-lines:
			if !more {
				return nil
			}
			if line != "" {
				a.showLink(ctx, line)
			}
		}
	}
}

// showLink prints what a link opens, or why it does not.
func (a *app) showLink(ctx context.Context, link string) {
	session, err := a.portals.Resolve(ctx, portal.Code(link))
	if err == nil {
		err = a.showSession(ctx, session)
	}
	if err != nil {
		a.print("It opens nothing: %v.\n", err)
	}
}

// print writes to the terminal, whose loss ends the program by itself.
func (a *app) print(format string, args ...any) { _, _ = fmt.Fprintf(a.out, format, args...) }
