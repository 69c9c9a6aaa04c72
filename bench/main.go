// Command bench measures the library beside what a user would otherwise write, in one
// run, and prints a table of ratios with their goals.
//
//	cd bench && go run .            # the whole table; under 15 minutes on two cores
//	cd bench && go run . -short     # everything once, small: whether it works, not how fast
//
// The contenders take turns in several rounds. The ratio that counts is that of the best
// run of either; beside it stand the median of the rounds, and the least and the greatest.
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

// bench is one run.
type bench struct {
	dir   string    // where the contenders keep their data
	short bool      // all sizes small
	log   io.Writer // what is under way
}

func (b *bench) progress(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) }

// size is full, or small in a short run.
func (b *bench) size(full, small int) int {
	if b.short {
		return small
	}
	return full
}

// section measures some rows of the table.
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
	short := flags.Bool("short", false, "run everything once, small: a smoke test")
	only := flags.String("only", "", "comma-separated sections to run; empty is all")
	dir := flags.String("dir", "", "where to keep data meanwhile; empty is the system's place for temporary files")
	markdown := flags.Bool("markdown", false, "print the table as Markdown")
	profile := flags.String("cpuprofile", "", "write a profile of the run to this file")
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
	return err
}
