package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// goal is what a row's value should be.
type goal struct {
	atLeast, atMost float64 // zero is no bound
	unit            string  // "x" of a ratio, or what else the value is counted in
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

// row is a line of the table. Its value is the median of what each round gave.
type row struct {
	work, against string
	goal          goal
	rounds        []float64
	detail        string // in absolute figures
	missing       string // why there is no value
}

func (r row) cells() []string {
	if r.missing != "" {
		return []string{r.work, r.against, r.goal.String(), "not measured", "", "-", r.missing}
	}
	mid := median(r.rounds)
	spread := format(slices.Min(r.rounds), r.goal.unit) + " to " + format(slices.Max(r.rounds), r.goal.unit)
	if len(r.rounds) == 1 {
		spread = "one run"
	}
	return []string{r.work, r.against, r.goal.String(), format(mid, r.goal.unit), spread, r.goal.met(mid), r.detail}
}

var columns = []string{"work", "against", "goal", "median", "spread", "met", "in figures"}

// writeTable writes rows in columns, or as Markdown.
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
