// Command before makes one measurement of the library on Badger and prints the results as name=value. The script run
// builds it against two commits and runs both in turns.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage/badger"
)

var workspaceID = uuid.MustParse("67c58f1f-f148-4415-a63c-dc6c145c6b91")

func main() {
	name := flag.String("measurement", "", "pushes, push, site, wait or heap")
	n := flag.Int("n", 100_000, "number of resources")
	flag.Parse()
	measure := map[string]func(context.Context, *data.Workspace, int, func() error) error{
		"pushes": pushes, "push": push, "site": site, "wait": wait, "heap": heap,
	}[*name]
	if measure == nil {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*n, *name == "heap", measure); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(n int, noSync bool, measure func(context.Context, *data.Workspace, int, func() error) error) error {
	dir, err := os.MkdirTemp("", "before")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := badger.Open(dir, badger.Options{Logger: slog.New(slog.DiscardHandler), NoSync: noSync})
	if err != nil {
		return err
	}
	return measure(context.Background(), open(store), n, store.Close)
}

// block returns n resources of a customer, from the given number on: a site, and then rooms, each with a guest and three
// stays.
func block(customer string, from, n int) data.CustomerData {
	d := data.CustomerData{CustomerKey: customer}
	if from == 0 {
		d.Add(data.Site(customer+"-site", "The site"))
		from++
		n--
	}
	begin := time.Date(2026, 1, 1, 15, 0, 0, 0, time.UTC)
	for i := from; i < from+n; i++ {
		key := fmt.Sprintf("%s-%07d", customer, i/5)
		switch i % 5 {
		case 0:
			d.Add(data.Room(key, "Room "+key).In(customer + "-site"))
		case 1:
			d.Add(data.Guest(key, "Ada Lovelace "+key)) // no e-mail address: its index does not exist in all commits
		default:
			guest := data.Ref{Kind: data.KindGuest, Key: key}
			stay := data.Reservation(fmt.Sprintf("%s-%d", key, i%5), guest, data.Refs(data.KindRoom, key)...)
			d.Add(stay.During(begin.AddDate(0, 0, i%365), begin.AddDate(0, 0, i%365+1+i%7)))
		}
	}
	return d
}

func fill(ctx context.Context, ws *data.Workspace, customer string, n int) error {
	for from := 0; from < n; from += 1000 {
		if _, err := ws.Push(ctx, block(customer, from, min(1000, n-from))); err != nil {
			return err
		}
	}
	return nil
}

// timed calls do and prints its duration in seconds.
func timed(name string, do func() error) error {
	began := time.Now()
	err := do()
	fmt.Printf("%s=%.6f\n", name, time.Since(began).Seconds())
	return err
}

func pushes(ctx context.Context, ws *data.Workspace, n int, _ func() error) error {
	return timed("seconds", func() error { return fill(ctx, ws, "acme", n) })
}

func push(ctx context.Context, ws *data.Workspace, n int, _ func() error) error {
	d := block("acme", 0, n)
	return timed("seconds", func() error { _, err := ws.Push(ctx, d); return err })
}

// site deletes a site that contains a fifth of the resources as rooms. The delete also deletes the stays in these rooms. site
// prints the number of bytes that the process wrote until the store was closed.
func site(ctx context.Context, ws *data.Workspace, n int, closeStore func() error) error {
	if err := fill(ctx, ws, "acme", n); err != nil {
		return err
	}
	before, err := written()
	if err != nil {
		return err
	}
	err = timed("seconds", func() error {
		_, err := ws.Delete(ctx, data.Selection{Resources: data.Refs(data.KindSite, "acme-site")})
		return err
	})
	if err != nil {
		return err
	}
	if err := closeStore(); err != nil {
		return err
	}
	after, err := written()
	fmt.Printf("bytes=%d\n", after-before)
	return err
}

// written returns the number of bytes in the pages that the process has written, including mapped pages.
func written() (int64, error) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/self/io has no write_bytes")
}

// wait pushes single reservations of one customer during a large push of another customer, and prints the durations.
func wait(ctx context.Context, ws *data.Workspace, n int, _ func() error) error {
	if err := fill(ctx, ws, "small", 4); err != nil {
		return err
	}
	d := block("acme", 0, n)
	var over atomic.Bool
	failed := make(chan error, 1)
	go func() {
		defer over.Store(true)
		failed <- timed("large", func() error { _, err := ws.Push(ctx, d); return err })
	}()
	var waits []time.Duration
	for i := 0; !over.Load(); i++ {
		began := time.Now()
		d := data.CustomerData{CustomerKey: "small"}
		d.Add(data.Reservation(fmt.Sprintf("single-%d", i), data.Ref{}, data.Refs(data.KindRoom, "small-0000001")...))
		if _, err := ws.Push(ctx, d); err != nil {
			return err
		}
		waits = append(waits, time.Since(began))
		time.Sleep(time.Millisecond)
	}
	slices.Sort(waits)
	fmt.Printf("single_pushes=%d\nmedian=%.6f\nlongest=%.6f\n", len(waits), waits[len(waits)/2].Seconds(), waits[len(waits)-1].Seconds())
	return <-failed
}

// heap deletes a customer and prints the growth of the live heap during the deletion.
func heap(ctx context.Context, ws *data.Workspace, n int, _ func() error) error {
	if err := fill(ctx, ws, "acme", n); err != nil {
		return err
	}
	debug.SetGCPercent(10) // so that the live heap is measured often
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	before, most := live[0].Value.Uint64(), uint64(0)
	over, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		for {
			metrics.Read(live)
			most = max(most, live[0].Value.Uint64())
			select {
			case <-over:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	var report data.DeleteReport
	err := timed("seconds", func() (err error) {
		report, err = ws.Delete(ctx, data.Selection{CustomerKeys: []string{"acme"}})
		return err
	})
	runtime.GC() // the report is still referenced
	close(over)
	<-sampled
	fmt.Printf("deleted=%d\ngrowth_mib=%.1f\n", len(report.Deleted), float64(most-before)/(1<<20))
	return err
}
