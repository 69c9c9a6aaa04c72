// Package reportlimit bounds lists of faults and warnings, and counts what they leave out.
package reportlimit

import "fmt"

// Max is the number of faults, and of warnings, that an answer lists.
const Max = 10_000

// Omitted is the number of faults and of warnings that were found and are not listed.
type Omitted struct{ Faults, Warnings int }

// Any reports whether anything was left out.
func (c Omitted) Any() bool { return c != Omitted{} }

// Add counts what another collector left out.
func (c *Omitted) Add(other Omitted) {
	c.Faults += other.Faults
	c.Warnings += other.Warnings
}

// Text is the message of the warning that something was left out.
func (c Omitted) Text() string {
	switch {
	case c.Warnings == 0:
		return fmt.Sprintf("%s not listed", more(c.Faults, "fault"))
	case c.Faults == 0:
		return fmt.Sprintf("%s not listed", more(c.Warnings, "warning"))
	}
	return fmt.Sprintf("%d more faults and %d more warnings were found and are not listed", c.Faults, c.Warnings)
}

func more(n int, what string) string {
	if n == 1 {
		return "1 more " + what + " was found and is"
	}
	return fmt.Sprintf("%d more %ss were found and are", n, what)
}
