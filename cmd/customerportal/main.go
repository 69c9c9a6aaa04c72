// Customerportal is a server for self-hosting: the API and the hosted pages of one workspace on one port.
//
//	customerportal -store memory:                                   # to try it; generates all keys, keeps nothing
//	customerportal -store badger:DIR -keys FILE -base-url https://portal.example
//	customerportal -store pebble:DIR -keys FILE -base-url https://portal.example # for large customers
//	customerportal -store postgres://USER@HOST/DATABASE -keys FILE -base-url https://portal.example # one of several servers
//
// The flag -h prints the flags, the environment variables and the exit status. See the README for a complete setup.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // so that a second signal ends the process at once
		cancel()
	}()
	p := program{args: os.Args[1:], env: os.Getenv, stdout: os.Stdout, stderr: os.Stderr, stores: stores, drivers: drivers}
	os.Exit(p.run(ctx))
}

// program is the server with its surroundings, which tests replace.
type program struct {
	args    []string
	env     func(string) string
	stdout  io.Writer // requested texts, and generated credentials
	stderr  io.Writer // the log, and errors of flags and variables
	stores  []storeKind
	drivers []driver
}

// The exit status of the program.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run serves until ctx is done and returns the exit status.
func (p *program) run(ctx context.Context) int {
	c, err := p.configure()
	switch {
	case errors.Is(err, flag.ErrHelp), errors.Is(err, errVersion):
		return exitOK
	case err != nil:
		fmt.Fprintf(p.stderr, "%v\n\nRun customerportal -h for the flags and variables.\n", err)
		return exitUsage
	}
	log := slog.New(c.logHandler(p.stderr))
	for _, warning := range c.warnings {
		log.WarnContext(ctx, warning)
	}
	for _, line := range c.generated {
		fmt.Fprintln(p.stdout, line)
	}
	if err := serve(ctx, c, log); err != nil {
		log.ErrorContext(ctx, "the server failed", "error", err)
		return exitFailed
	}
	return exitOK
}

// version returns the version of the program and of Go.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return fmt.Sprintf("customerportal %s %s %s/%s", versionOf(info), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionOf returns the version of the module that a program was built from, and the commit if it is known.
func versionOf(info *debug.BuildInfo) string {
	version := cmp.Or(info.Main.Version, "(unknown)")
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if commit := settings["vcs.revision"]; commit != "" {
		version += " " + commit
		if settings["vcs.modified"] == "true" {
			version += "+dirty"
		}
	}
	return version
}
