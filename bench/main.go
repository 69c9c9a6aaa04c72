// Command bench compares the speed of the library with alternative implementations of the same work, such as SQLite, bare
// Badger, and SQL by hand on a PostgreSQL server. It prints a table of ratios and their goals.
//
//	cd bench && go run .            # all sections; about 20 minutes on two cores
//	cd bench && go run . -short     # everything once with small sizes: a smoke test, not a measurement
//
// The contenders take turns in several rounds. A goal applies to the ratio of the best runs. The table also contains the
// median, minimum and maximum ratio of the rounds. The program fails if a limit is exceeded, which no other program can cause: the
// rows that the library writes for reports of devices and reads and writes for access codes, and its memory meanwhile.
package main

import (
	"context"
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
	log   io.Writer // progress messages
}

func (b *bench) progress(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) }

// size returns small if the run is short, and full otherwise.
func (b *bench) size(full, small int) int {
	if b.short {
		return small
	}
	return full
}

// section is a named group of rows of the table.
type section struct {
	name string
	run  func(context.Context, *bench) ([]row, error)
}

var sections = []section{
	{"push", pushRows},
	{"site", siteRows},
	{"calls", callRows},
	{"resolve", resolveRows},
	{"verify", verifyRows},
	{"list", listRows},
	{"size", sizeRows},
	{"heap", heapRows},
	{"http", httpRows},
	{"devices", deviceRows},
	{"codes", codeRows},
	{"postgres-push", onServer(postgresPushRows)},
	{"postgres-calls", onServer(postgresCallRows)},
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
	only := flags.String("only", "", "comma-separated sections to run; all if empty")
	dir := flags.String("dir", "", "directory for temporary data; the system's default if empty")
	markdown := flags.Bool("markdown", false, "print the table as Markdown")
	profile := flags.String("cpuprofile", "", "write a CPU profile to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b := &bench{short: *short, log: log}
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
		if *only != "" && !strings.Contains(","+*only+",", ","+s.name+",") {
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
