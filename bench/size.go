package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/customerportal-go/customerportal/data"
)

// customerSize is the number of resources of each customer in a large store.
const customerSize = 10_000

// sizeRows fills a store on disk with many resources and measures the memory of the process. It then compares small pushes
// and deletes in that store with the same in a small store. It runs in a child process that uses no other memory.
func sizeRows(ctx context.Context, b *bench) ([]row, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	resources, rounds := b.size(1_000_000, 20_000), b.size(15, 2)
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), childEnv+"="+fmt.Sprintf("%d %d %s", resources, rounds, b.dir))
	child.Stderr = os.Stderr
	out, err := child.Output()
	if err != nil {
		return nil, err
	}
	var of sizes
	if err := json.Unmarshal(out, &of); err != nil {
		return nil, err
	}
	small, large := count(pushSize), count(resources)
	of.Times.log(b)
	cost := func(lap string) row {
		return row{
			work: fmt.Sprintf("%s %s resources, %s in the store", lap, count(pushSize), large), against: "the same, " + small + " in the store",
			goal: atMost(1.5), measured: of.Times.ratio("large", lap, "small", lap),
			detail: fmt.Sprintf("%s against %s; %s while the store was filled", rateText(of.Times.rate("large", lap, pushSize)),
				rateText(of.Times.rate("small", lap, pushSize)), rateText(of.FillRate)),
		}
	}
	const mib = 1 << 20
	return []row{
		cost("push"), cost("delete"),
		{work: "resident with " + large + " resources on Badger, after the push", against: "-",
			goal: goal{atMost: 400, unit: "MiB"}, measured: once(float64(of.Resident) / mib),
			detail: fmt.Sprintf("of which %.0f MiB are mapped files and %.0f MiB the process itself; peak %.0f MiB",
				float64(of.Files)/mib, float64(of.Resident-of.Files)/mib, float64(of.Peak)/mib)},
	}, nil
}

// log prints the laps of the child process.
func (t times) log(b *bench) {
	for name, rounds := range t {
		for i, l := range rounds {
			b.progress("  round %d of %d: %s: %s", i+1, len(rounds), name, l)
		}
	}
}

// sizes is the result of the child process.
type sizes struct {
	Resident, Files, Peak int // bytes
	FillRate              float64
	Times                 times
}

// childEnv is set to "resources rounds directory" for the child process.
const childEnv = "BENCH_SIZE_CHILD"

// runChild runs the child process. It returns false if this process is not the child.
func runChild(ctx context.Context) (bool, error) {
	spec := os.Getenv(childEnv)
	if spec == "" {
		return false, nil
	}
	var resources, rounds int
	var dir string
	if _, err := fmt.Sscan(spec, &resources, &rounds, &dir); err != nil {
		return true, err
	}
	of, err := measureSizes(ctx, dir, resources, rounds)
	if err != nil {
		return true, err
	}
	return true, json.NewEncoder(os.Stdout).Encode(of)
}

func measureSizes(ctx context.Context, dir string, resources, rounds int) (of sizes, err error) {
	large, err := openLibrary(dir + "/large")
	if err != nil {
		return of, err
	}
	defer closeInto(&err, large)
	ws := data.Open(large, data.Options{}).Workspace(workspaceID)
	seconds, err := timed(func() error {
		for i := range resources / customerSize {
			for block := range customerSize / pushSize {
				if _, err := ws.Push(ctx, hotelBlock(fmt.Sprintf("hotel-%04d", i), block)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return of, err
	}
	of.FillRate = float64(resources) / seconds
	if of.Resident, of.Files, of.Peak, err = resident(); err != nil {
		return of, err
	}
	little, err := openLibrary(dir + "/small")
	if err != nil {
		return of, err
	}
	defer closeInto(&err, little)
	wsLittle := data.Open(little, data.Options{}).Workspace(workspaceID)
	if _, err := wsLittle.Push(ctx, hotelBlock("hotel", 0)); err != nil {
		return of, err
	}
	b := &bench{dir: dir, log: os.Stderr}
	next := 0
	visit := func(ws *data.Workspace) func(string) (laps, error) {
		return func(string) (laps, error) {
			next++
			d := hotelBlock(fmt.Sprintf("visitor-%d", next), 0)
			l := laps{}
			err := l.lap("push", func() error {
				report, err := ws.Push(ctx, d)
				return errors.Join(err, expect("created", report.Created.Total(), d.Len()))
			})
			if err != nil {
				return nil, err
			}
			return l, l.lap("delete", func() error {
				report, err := ws.Delete(ctx, data.Selection{CustomerKeys: []string{d.CustomerKey}})
				return errors.Join(err, expect("deleted", len(report.Deleted), d.Len()))
			})
		}
	}
	of.Times, err = b.contest(rounds, contender{"large", visit(ws)}, contender{"small", visit(wsLittle)})
	return of, err
}

// resident returns the resident memory of this process in bytes: the total, the part that is mapped files, and the peak of
// the total.
func resident() (all, files, peak int, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, 0, fmt.Errorf("resident memory can be read only on Linux: %w", err)
	}
	for line := range bytes.Lines(status) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		into := map[string]*int{"VmRSS": &all, "RssFile": &files, "VmHWM": &peak}[string(name)]
		if into == nil {
			continue
		}
		kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
		if err != nil {
			return 0, 0, 0, err
		}
		*into = kib << 10
	}
	return all, files, peak, nil
}
