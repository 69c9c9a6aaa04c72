package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/customerportal-go/customerportal/data"
)

// customerSize is the number of resources of each customer in a large store.
const customerSize = 10_000

// sizeRows fills a store on disk with many resources and measures the memory of the process. It then compares small pushes
// and deletes in that store with the same in a small store. Each backend runs in a child process that uses no other memory.
func sizeRows(ctx context.Context, b *bench) (rows []row, err error) {
	resources, rounds := b.size(1_000_000, 20_000), max(2, b.rounds(15))
	small, large := count(pushSize), count(resources)
	time := goals{"badger": atMost(1.4), "pebble": atMost(1.4)}
	memory := goals{"badger": {atMost: 400, unit: "MiB"}, "pebble": {atMost: 150, unit: "MiB"}}
	var resident []row
	for _, be := range backends {
		of, err := b.sizeOn(ctx, be, resources, rounds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", be.name, err)
		}
		for _, lap := range []string{"push", "delete"} {
			r := row{
				work: fmt.Sprintf("%s %s resources, %s in the store", lap, count(pushSize), large), on: be.name,
				against: "the same, " + small + " in the store", goal: none(), measured: of.Times.ratio("large", lap, "small", lap),
				detail: fmt.Sprintf("%s against %s; %s while the store was filled", rateText(of.Times.rate("large", lap, pushSize)),
					rateText(of.Times.rate("small", lap, pushSize)), rateText(of.FillRate)),
			}
			if lap == "push" {
				r.goal = time.of(be.name)
			}
			rows = append(rows, r)
		}
		const mib = 1 << 20
		resident = append(resident, row{
			work: "anonymous resident memory with " + large + " resources, after a collection", on: be.name, against: "-",
			goal: memory[be.name], measured: once(float64(of.Collected.Anonymous) / mib),
			detail: fmt.Sprintf("before the collection %d MiB, and %d MiB of mapped files; peak of both %d MiB",
				of.Filled.Anonymous/mib, of.Filled.Files/mib, of.Filled.Peak/mib),
		})
	}
	return append(rows, resident...), nil
}

// sizeOn runs the child process of a backend.
func (b *bench) sizeOn(ctx context.Context, be backend, resources, rounds int) (of sizes, err error) {
	self, err := os.Executable()
	if err != nil {
		return of, err
	}
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), childEnv+"="+fmt.Sprintf("%s %d %d %s", be.name, resources, rounds, b.dir))
	child.Stderr = b.log
	out, err := child.Output()
	if err != nil {
		return of, err
	}
	return of, json.Unmarshal(out, &of)
}

// sizes is the result of the child process.
type sizes struct {
	Filled, Collected memoryUse // before and after a garbage collection
	FillRate          float64
	Times             times
}

// childEnv is set to "backend resources rounds directory" for the child process.
const childEnv = "BENCH_SIZE_CHILD"

// runChild runs the child process. It returns false if this process is not the child.
func runChild(ctx context.Context) (bool, error) {
	spec := os.Getenv(childEnv)
	if spec == "" {
		return false, nil
	}
	var name, dir string
	var resources, rounds int
	if _, err := fmt.Sscan(spec, &name, &resources, &rounds, &dir); err != nil {
		return true, err
	}
	at := slices.IndexFunc(backends, func(be backend) bool { return be.name == name })
	if at < 0 {
		return true, fmt.Errorf("unknown backend %q", name)
	}
	of, err := measureSizes(ctx, backends[at], dir, resources, rounds)
	if err != nil {
		return true, err
	}
	return true, json.NewEncoder(os.Stdout).Encode(of)
}

func measureSizes(ctx context.Context, be backend, dir string, resources, rounds int) (of sizes, err error) {
	large, err := be.open(filepath.Join(dir, "large-"+be.name), false)
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
	if of.Filled, err = memoryNow(); err != nil {
		return of, err
	}
	debug.FreeOSMemory() // collects garbage, and returns it to the system
	if of.Collected, err = memoryNow(); err != nil {
		return of, err
	}
	little, err := be.open(filepath.Join(dir, "small-"+be.name), false)
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

// memoryUse is the resident memory of this process in bytes.
type memoryUse struct {
	Anonymous int
	Files     int // mapped files, which the kernel can reclaim
	Peak      int // the peak of both
}

func memoryNow() (of memoryUse, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return of, fmt.Errorf("resident memory can be read only on Linux: %w", err)
	}
	for line := range bytes.Lines(status) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		into := map[string]*int{"RssAnon": &of.Anonymous, "RssFile": &of.Files, "VmHWM": &of.Peak}[string(name)]
		if into == nil {
			continue
		}
		kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
		if err != nil {
			return of, err
		}
		*into = kib << 10
	}
	if of.Anonymous == 0 {
		return of, errors.New("/proc/self/status has no RssAnon")
	}
	return of, nil
}
