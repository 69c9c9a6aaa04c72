package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
)

// warnings are the rules whose breach lets a push go ahead.
var warnings = []Rule{
	RuleNotThereYet, RuleUnknownField, RuleEmailAddress, RulePreferredCode, RuleSharedEmail, RuleRefTwice, RuleLeftOut,
	RuleOtherCustomer, RuleNoSpaces, RuleDeletesAll,
}

// isFault reports whether a finding refuses the value that it is about.
func (f Finding) isFault() bool { return isFault(f.Rule) }

func isFault(rule Rule) bool { return !slices.Contains(warnings, rule) }

// findings collects faults and warnings: the first [reportlimit.Max] of each, and the number
// of the others. Adding one takes constant time.
type findings struct {
	faults, warnings []Finding
	at               map[string]Rule // the faults by path; one of those at a path
	omitted          reportlimit.Omitted
}

// full reports whether another finding of a rule would only be counted.
func (f *findings) full(rule Rule) bool {
	if isFault(rule) {
		return len(f.faults) >= reportlimit.Max
	}
	return len(f.warnings) >= reportlimit.Max
}

func (f *findings) add(found Finding) {
	fault := found.isFault()
	if fault && found.Rule == RuleRequired && f.wrongAt(found.Path) {
		return // it is there, or what it would be in is, and is wrong
	}
	switch {
	case f.full(found.Rule) && fault:
		f.omitted.Faults++
		return
	case f.full(found.Rule):
		f.omitted.Warnings++
		return
	case !fault:
		f.warnings = append(f.warnings, found)
		return
	}
	f.faults = append(f.faults, found)
	if f.at == nil {
		f.at = map[string]Rule{}
	}
	f.at[found.Path] = found.Rule
}

// wrongAt reports whether there is a fault at a path, or a value of the wrong type at a
// path above it.
func (f *findings) wrongAt(path string) bool {
	if f.at[path] != "" {
		return true
	}
	for i := strings.LastIndexByte(path, '.'); i >= 0; i = strings.LastIndexByte(path[:i], '.') {
		if f.at[path[:i]] == RuleType {
			return true
		}
	}
	return false
}

// in is a reporter whose paths begin with path.
func (f *findings) in(path string) reporter {
	return func(part string, rule Rule, format string, args ...any) {
		f.add(Finding{Path: path + part, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

// about is a reporter whose paths begin with an entry.
func (f *findings) about(at entry) reporter {
	return func(part string, rule Rule, format string, args ...any) {
		f.in(at.String())(part, rule, format, args...)
	}
}

// join adds the findings of another collector.
func (f *findings) join(other findings) {
	for _, found := range other.faults {
		f.add(found)
	}
	for _, found := range other.warnings {
		f.add(found)
	}
	f.omitted.Add(other.omitted)
}

// listed returns the warnings, with one of [RuleLeftOut] at the end if any fault or
// warning was left out.
func (f *findings) listed() []Finding {
	if !f.omitted.Any() {
		return f.warnings
	}
	return append(slices.Clip(f.warnings), Finding{Rule: RuleLeftOut, Message: f.omitted.Text()})
}

// err returns an InvalidError if there is a fault or, if strict, a warning. If strict, the
// warnings are faults, and count towards the faults that are listed.
func (f *findings) err(strict bool) error {
	e := &InvalidError{Faults: f.faults, Warnings: f.listed(), OmittedFaults: f.omitted.Faults, OmittedWarnings: f.omitted.Warnings}
	if strict {
		all := append(slices.Clip(f.faults), f.warnings...)
		e.Faults, e.Warnings = all[:min(len(all), reportlimit.Max)], nil
		e.OmittedFaults, e.OmittedWarnings = e.OmittedFaults+f.omitted.Warnings+len(all)-len(e.Faults), 0
	}
	if len(e.Faults) == 0 {
		return nil
	}
	return e
}
