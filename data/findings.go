package data

import (
	"fmt"
	"slices"
	"strings"
)

// warnings are the rules whose breach lets a push go ahead.
var warnings = []Rule{
	RuleNotThereYet, RuleUnknownField, RuleEmailAddress, RulePreferredCode, RuleSharedEmail, RuleRefTwice, RuleLeftOut,
}

// maxFindings bounds the faults that are listed, and the warnings, whatever was given.
const maxFindings = 10_000

// isFault is whether a finding refuses what it is about.
func (f Finding) isFault() bool { return !slices.Contains(warnings, f.Rule) }

// leftOut is the warning that more was found than is listed.
var leftOut = Finding{Rule: RuleLeftOut, Message: "there are more faults or warnings than are listed"}

// findings gathers what is wrong with what was given.
type findings struct {
	faults, warnings []Finding
	at               map[string]Rule // the faults by path; one of those at a path
	more             bool            // than are kept
}

func (f *findings) add(found Finding) {
	if found.Rule == RuleLeftOut {
		f.more = true
		return
	}
	if !found.isFault() {
		if len(f.warnings) == maxFindings {
			f.more = true
			return
		}
		f.warnings = append(f.warnings, found)
		return
	}
	if found.Rule == RuleRequired && f.wrongAt(found.Path) {
		return // it is there, or what it would be in is, and is wrong
	}
	if len(f.faults) == maxFindings {
		f.more = true
		return
	}
	f.faults = append(f.faults, found)
	if f.at == nil {
		f.at = map[string]Rule{}
	}
	f.at[found.Path] = found.Rule
}

// wrongAt is whether there is a fault at a path, or something of the wrong type that
// it would be in.
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

// join adds what another found.
func (f *findings) join(other findings) {
	for _, found := range other.faults {
		f.add(found)
	}
	for _, found := range other.warnings {
		f.add(found)
	}
	f.more = f.more || other.more
}

// listed is the warnings, and whether there was more.
func (f *findings) listed() []Finding {
	if !f.more {
		return f.warnings
	}
	return append(slices.Clip(f.warnings), leftOut)
}

// err is an InvalidError where there is a fault, or, if strict, a warning.
func (f *findings) err(strict bool) error {
	e := &InvalidError{Faults: f.faults, Warnings: f.listed()}
	if strict {
		e.Faults, e.Warnings = append(slices.Clip(f.faults), e.Warnings...), nil
	}
	if len(e.Faults) == 0 {
		return nil
	}
	return e
}
