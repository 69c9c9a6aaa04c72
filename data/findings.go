package data

import (
	"fmt"
	"slices"
	"strings"
)

// warnings are the rules whose breach lets a push go ahead.
var warnings = []Rule{
	RuleNotThereYet, RuleUnknownField, RuleEmailAddress, RulePreferredCode, RuleSharedEmail, RuleRefTwice,
}

// findings gathers what is wrong with what was given.
type findings struct{ faults, warnings []Finding }

func (f *findings) add(found Finding) {
	if slices.Contains(warnings, found.Rule) {
		f.warnings = append(f.warnings, found)
		return
	}
	if found.Rule == RuleRequired && slices.ContainsFunc(f.faults, found.within) {
		return // it is there, or what it would be in is, and is wrong
	}
	f.faults = append(f.faults, found)
}

// within is whether what is found is at the place of another fault or, where that
// is something of the wrong type, within it.
func (f Finding) within(g Finding) bool {
	return f.Path == g.Path || g.Rule == RuleType && strings.HasPrefix(f.Path, g.Path+".")
}

// at is a reporter whose paths begin with path.
func (f *findings) at(path string) reporter {
	return func(part string, rule Rule, format string, args ...any) {
		f.add(Finding{Path: path + part, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

// join adds what another found.
func (f *findings) join(other findings) {
	f.faults = append(f.faults, other.faults...)
	f.warnings = append(f.warnings, other.warnings...)
}

// err is an InvalidError where there is a fault, or, if strict, a warning.
func (f *findings) err(strict bool) error {
	faults := f.faults
	if strict {
		faults = append(slices.Clip(faults), f.warnings...)
	}
	if len(faults) == 0 {
		return nil
	}
	return &InvalidError{Faults: faults, Warnings: f.warnings}
}
