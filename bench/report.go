package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// goal is the goal for the value of a row.
type goal struct {
	atLeast, atMost float64 // zero means no bound
	unit            string  // "x" for a ratio, or the unit of the value
}

func atLeast(ratio float64) goal { return goal{atLeast: ratio, unit: "x"} }
func atMost(ratio float64) goal  { return goal{atMost: ratio, unit: "x"} }
func none() goal                 { return goal{unit: "x"} }

func (g goal) String() string {
	switch {
	case g.atLeast > 0:
		return ">= " + format(g.atLeast, g.unit)
	case g.atMost > 0:
		return "<= " + format(g.atMost, g.unit)
	}
	return "-"
}

func (g goal) met(v float64) string {
	switch {
	case g.atLeast == 0 && g.atMost == 0:
		return "-"
	case v < g.atLeast, g.atMost > 0 && v > g.atMost:
		return "NO"
	}
	return "yes"
}

// measured is the value of a row. best is computed from the best run of each contender, because other programs can only
// make a run longer.
type measured struct {
	best   float64
	rounds []float64 // the value of each round
}

// once returns a value that was measured once.
func once(v float64) measured { return measured{v, []float64{v}} }

// row is a line of the table.
type row struct {
	work, against string
	on            string // the backend of the library, if it is not part of work
	goal          goal
	measured      measured // without rounds if it could not be measured
	detail        string   // absolute figures of the best runs
	limit         bool     // the goal is a limit: the program fails if it is not met
}

func (r row) cells() []string {
	m, unit := r.measured, r.goal.unit
	if len(m.rounds) == 0 {
		return []string{r.work, r.on, r.against, r.goal.String(), "-", "-", "-", "not measured", r.detail}
	}
	spread := format(slices.Min(m.rounds), unit) + " to " + format(slices.Max(m.rounds), unit)
	if len(m.rounds) == 1 {
		spread = "one run"
	}
	return []string{r.work, r.on, r.against, r.goal.String(), format(m.best, unit), format(median(m.rounds), unit), spread, r.goal.met(m.best), r.detail}
}

// exceeded returns an error that names the rows whose limits are exceeded.
func exceeded(rows []row) error {
	var errs []error
	for _, r := range rows {
		if r.limit && r.goal.met(r.measured.best) == "NO" {
			errs = append(errs, fmt.Errorf("the limit of %q is exceeded: %s, and must be %v", r.work, format(r.measured.best, r.goal.unit), r.goal))
		}
	}
	return errors.Join(errs...)
}

var columns = []string{"work", "on", "against", "goal", "best", "median", "spread", "met", "in figures"}

// writeTable writes rows as aligned columns or as Markdown.
func writeTable(w io.Writer, rows []row, markdown bool) error {
	if markdown {
		lines := [][]string{columns, slices.Repeat([]string{"---"}, len(columns))}
		for _, r := range rows {
			lines = append(lines, r.cells())
		}
		for _, cells := range lines {
			if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(columns, "\t")))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t"))
	}
	return t.Flush()
}

func median(of []float64) float64 {
	s := slices.Sorted(slices.Values(of))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

func format(v float64, unit string) string {
	if unit != "x" {
		unit = " " + unit
	}
	switch {
	case v == math.Trunc(v), math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f%s", v, unit)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f%s", v, unit)
	}
	return fmt.Sprintf("%.2f%s", v, unit)
}
