// Command bench compares the speed of the library with alternative implementations of the same work, such as SQLite, bare
// Badger, and SQL by hand on a PostgreSQL server. It prints a table of ratios and their goals.
//
//	cd bench && go run .                     # all sections; about 20 minutes on two cores
//	cd bench && go run . -goals              # the goals of the backends badger and pebble; about 10 minutes
//	cd bench && go run . -goals -scale 0.1   # the same with a tenth of the data
//	cd bench && go run . -short              # everything once with small sizes: a smoke test, not a measurement
//
// The contenders take turns in several rounds. A goal applies to the ratio of the best runs. The table also contains the
// median, minimum and maximum ratio of the rounds. The program fails if a limit is exceeded, which no other program can cause: the
// rows that the library writes for reports of devices and reads and writes for access codes, and its memory meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

var quietLogger = slog.New(slog.DiscardHandler)

// bench is one run of the program.
type bench struct {
	dir   string    // contains the data of the contenders
	short bool      // use small sizes
	scale float64   // factor for full sizes
	goals bool      // measure only contenders to which goals of backends refer
	log   io.Writer // progress messages

	server    *server // PostgreSQL; nil before its first use, and if no server is available
	serverErr error   // why there is no server
}

func (b *bench) progress(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) }

// size returns small if the run is short, and otherwise the scaled full size, rounded to thousands if it is large.
func (b *bench) size(full, small int) int {
	if b.short {
		return small
	}
	n := int(float64(full) * b.scale)
	if n > pushSize {
		n -= n % pushSize
	}
	return max(n, small)
}

// rounds returns 1 if the run is short, and n otherwise.
func (b *bench) rounds(n int) int {
	if b.short {
		return 1
	}
	return n
}

// section is a named group of rows of the table.
type section struct {
	name  string
	run   func(context.Context, *bench) ([]row, error)
	goals bool // has goals of backends
}

var sections = []section{
	{name: "push", run: pushRows, goals: true},
	{name: "site", run: siteRows, goals: true},
	{name: "overhead", run: overheadRows},
	{name: "calls", run: callRows, goals: true},
	{name: "resolve", run: resolveRows, goals: true},
	{name: "verify", run: verifyRows},
	{name: "list", run: listRows},
	{name: "size", run: sizeRows, goals: true},
	{name: "heap", run: heapRows},
	{name: "http", run: httpRows},
	{name: "devices", run: deviceRows},
	{name: "codes", run: codeRows},
	{name: "postgres-push", run: onServer(postgresPushRows)},
	{name: "postgres-calls", run: onServer(postgresCallRows)},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if child, err := runChild(ctx); child {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	short := flags.Bool("short", false, "run everything once with small sizes: a smoke test")
	goals := flags.Bool("goals", false, "measure only the goals of the backends badger and pebble")
	scale := flags.Float64("scale", 1, "factor for the sizes, from 0.001 to 1")
	only := flags.String("only", "", "comma-separated sections to run; all if empty")
	dir := flags.String("dir", "", "directory for temporary data; the system's default if empty")
	markdown := flags.Bool("markdown", false, "print the table as Markdown")
	profile := flags.String("cpuprofile", "", "write a CPU profile to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !(*scale >= 0.001 && *scale <= 1) {
		return fmt.Errorf("-scale is %v, must be from 0.001 to 1", *scale)
	}
	b := &bench{short: *short, scale: *scale, goals: *goals, log: log}
	defer func() { err = errors.Join(err, b.stopServer()) }()
	if b.dir, err = os.MkdirTemp(*dir, "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	start := time.Now()
	var rows []row
	for _, s := range sections {
		if *goals && !s.goals || *only != "" && !strings.Contains(","+*only+",", ","+s.name+",") {
			continue
		}
		b.progress("%s", s.name)
		more, err := s.run(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, more...)
	}
	if err := writeTable(out, rows, *markdown); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s %s/%s, %d cores, %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), time.Since(start).Round(time.Second))
	if err != nil {
		return err
	}
	return exceeded(rows)
}
