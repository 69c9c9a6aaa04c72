package device

import (
	"fmt"
	"slices"
	"strings"
)

// Constraint is a rule of a lock for its codes. The names are those of the API.
type Constraint string

// The constraints that [CodeLimits.CheckPIN] checks.
const (
	NoZeros                  Constraint = "no_zeros"
	CannotStartWith12        Constraint = "cannot_start_with_12"
	NoTripleConsecutiveInts  Constraint = "no_triple_consecutive_ints" // no digit three times in a row
	NoSequence               Constraint = "no_ascending_or_descending_sequence"
	AtLeastThreeUniqueDigits Constraint = "at_least_three_unique_digits"
	CannotContain089         Constraint = "cannot_contain_089"
	CannotContain0789        Constraint = "cannot_contain_0789"
	NoAllSameDigits          Constraint = "no_all_same_digits"
	CannotSpecifyPIN         Constraint = "cannot_specify_pin_code" // the device chooses the PIN
)

// The constraints that CheckPIN cannot check, because they depend on the other codes, on the time or on data in the
// device.
const (
	PINMatchesExistingSet Constraint = "pin_code_matches_existing_set" // only PINs of a set that the device has
	UniqueFirstFourDigits Constraint = "unique_first_four_digits"
	StartInFuture         Constraint = "start_date_in_future"
	NameMustBeUnique      Constraint = "name_must_be_unique"
)

func (c Constraint) known() bool {
	return rules[c] != nil || slices.Contains([]Constraint{PINMatchesExistingSet, UniqueFirstFourDigits, StartInFuture, NameMustBeUnique}, c)
}

// rules reports for each constraint whether a PIN, which consists of digits, obeys it.
var rules = map[Constraint]func(pin string) bool{
	NoZeros:                  func(pin string) bool { return !strings.Contains(pin, "0") },
	CannotStartWith12:        func(pin string) bool { return !strings.HasPrefix(pin, "12") },
	NoTripleConsecutiveInts:  func(pin string) bool { return longestRun(pin, 0) < 3 },
	NoSequence:               func(pin string) bool { return longestRun(pin, 1) < len(pin) && longestRun(pin, -1) < len(pin) },
	AtLeastThreeUniqueDigits: func(pin string) bool { return distinct(pin) >= 3 },
	CannotContain089:         func(pin string) bool { return !strings.ContainsAny(pin, "089") },
	CannotContain0789:        func(pin string) bool { return !strings.ContainsAny(pin, "0789") },
	NoAllSameDigits:          func(pin string) bool { return distinct(pin) > 1 },
	CannotSpecifyPIN:         func(string) bool { return false },
}

// CheckPIN returns a [RejectedError] that names the first rule that forbids the PIN, or nil if it is allowed.
func (l CodeLimits) CheckPIN(pin Secret) error {
	text := pin.Reveal()
	if !slices.Contains(l.Lengths, len(text)) {
		return &RejectedError{Reason: RejectedConstraint, Detail: fmt.Sprintf("the PIN has %d digits, but must have one of %v", len(text), l.Lengths)}
	}
	for _, c := range l.Constraints {
		if rule := rules[c]; rule != nil && !rule(text) {
			return &RejectedError{Reason: RejectedConstraint, Constraint: c}
		}
	}
	return nil
}

func digits(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

// longestRun returns the length of the longest part of the PIN in which each digit is the one before it plus step.
func longestRun(pin string, step int) int {
	longest, run := 0, 0
	for i := range len(pin) {
		if i > 0 && int(pin[i]) == int(pin[i-1])+step {
			run++
		} else {
			run = 1
		}
		longest = max(longest, run)
	}
	return longest
}

func distinct(pin string) int {
	seen := map[rune]bool{}
	for _, r := range pin {
		seen[r] = true
	}
	return len(seen)
}
