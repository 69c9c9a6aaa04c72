// Package reportlimit limits the lists of faults and warnings in reports, and counts the entries that a list omits.
package reportlimit

import "fmt"

// Max is the maximum number of faults, and of warnings, that one report lists.
const Max = 10_000

// Omitted is the number of faults and of warnings that were found but are not listed.
type Omitted struct{ Faults, Warnings int }

// Any reports whether any fault or warning was omitted.
func (o Omitted) Any() bool { return o != Omitted{} }

// Add adds the counts of another report.
func (o *Omitted) Add(other Omitted) {
	o.Faults += other.Faults
	o.Warnings += other.Warnings
}

// Text returns the message of the warning that a report is incomplete.
func (o Omitted) Text() string {
	switch {
	case o.Warnings == 0:
		return fmt.Sprintf("%s not listed", more(o.Faults, "fault"))
	case o.Faults == 0:
		return fmt.Sprintf("%s not listed", more(o.Warnings, "warning"))
	}
	return fmt.Sprintf("%d more faults and %d more warnings were found and are not listed", o.Faults, o.Warnings)
}

func more(n int, noun string) string {
	if n == 1 {
		return "1 more " + noun + " was found and is"
	}
	return fmt.Sprintf("%d more %ss were found and are", n, noun)
}
