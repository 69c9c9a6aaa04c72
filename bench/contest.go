package main

import (
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// laps contains the duration of each part of a run, in seconds.
type laps map[string]float64

func (l laps) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, name+" "+secondsText(l[name]))
	}
	return strings.Join(parts, ", ")
}

// contender is one implementation of the measured work. Each run gets a new directory, which is removed after the run.
type contender struct {
	name string
	run  func(dir string) (laps, error)
}

// extras returns contenders to which no goal of a backend refers, or nothing if only these goals are measured.
func (b *bench) extras(contenders ...contender) []contender {
	if b.goals {
		return nil
	}
	return contenders
}

// times contains the laps of each contender in each round.
type times map[string][]laps

// contest runs every contender once in each round, so that the load of other programs affects all of them. Each round
// starts with a different contender.
func (b *bench) contest(rounds int, contenders ...contender) (times, error) {
	out := times{}
	for round := range rounds {
		for i := range contenders {
			c := contenders[(round+i)%len(contenders)]
			dir, err := os.MkdirTemp(b.dir, "run")
			if err != nil {
				return nil, err
			}
			runtime.GC()
			l, err := c.run(dir)
			if err := os.RemoveAll(dir); err != nil {
				return nil, err
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			b.progress("  round %d of %d: %s: %s", round+1, rounds, c.name, l)
			out[c.name] = append(out[c.name], l)
		}
	}
	return out, nil
}

// ratio returns a lap of one contender divided by a lap of another.
func (t times) ratio(over, lap, under, underLap string) measured {
	m := measured{best: t.seconds(over, lap) / t.seconds(under, underLap)}
	for i, l := range t[over] {
		m.rounds = append(m.rounds, l[lap]/t[under][i][underLap])
	}
	return m
}

// rate returns n divided by a contender's shortest lap.
func (t times) rate(name, lap string, n int) float64 { return float64(n) / t.seconds(name, lap) }

// seconds returns a contender's shortest lap.
func (t times) seconds(name, lap string) float64 {
	least := math.Inf(1)
	for _, l := range t[name] {
		least = min(least, l[lap])
	}
	return least
}

// timed collects garbage, calls fn and returns its duration in seconds.
func timed(fn func() error) (float64, error) {
	runtime.GC()
	start := time.Now()
	err := fn()
	return time.Since(start).Seconds(), err
}

// lap runs fn and stores its duration under the name.
func (l laps) lap(name string, fn func() error) error {
	seconds, err := timed(fn)
	l[name] = seconds
	return err
}

// cpuSeconds returns the CPU time of this process in seconds. For work that does not wait for a disk, it is a better measure
// than elapsed time, because it does not include other programs.
func cpuSeconds() (float64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds(), nil
}

// eachOf runs n operations and stores their average CPU time as "each".
func (l laps) eachOf(n int, do func(i int) error) error {
	runtime.GC()
	before, err := cpuSeconds()
	if err != nil {
		return err
	}
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
	}
	after, err := cpuSeconds()
	l["each"] = (after - before) / float64(n)
	return err
}

// rateText formats a rate per second.
func rateText(perSecond float64) string {
	if perSecond >= 10_000 {
		return fmt.Sprintf("%.0fk/s", perSecond/1000)
	}
	return fmt.Sprintf("%.0f/s", perSecond)
}

func secondsText(s float64) string {
	switch {
	case s < 1e-3:
		return fmt.Sprintf("%.1f us", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.1f ms", s*1e3)
	}
	return fmt.Sprintf("%.2f s", s)
}
