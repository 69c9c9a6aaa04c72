package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/validation"
)

// warnings are the rules whose violation is a warning. The violation of any other rule is a fault.
var warnings = []validation.Rule{
	validation.RuleNotThereYet, validation.RuleUnknownField, validation.RuleEmailAddress, validation.RulePreferredCode,
	validation.RuleSharedEmail, validation.RuleRefTwice, validation.RuleLeftOut, validation.RuleOtherCustomer, validation.RuleNoSpaces, validation.RuleDeletesAll,
	validation.RuleNoLock,
}

// isFault reports whether the violation of the rule is a fault, so that the library refuses the value.
func isFault(rule validation.Rule) bool { return !slices.Contains(warnings, rule) }

// findings collects faults and warnings: the first [reportlimit.Max] of each, and the number of the others. Adding one takes
// constant time.
type findings struct {
	faults, warnings []validation.Finding
	at               map[string]validation.Rule // one fault for each path
	omitted          reportlimit.Omitted
}

// full reports whether f only counts further findings of the rule.
func (f *findings) full(rule validation.Rule) bool {
	if isFault(rule) {
		return len(f.faults) >= reportlimit.Max
	}
	return len(f.warnings) >= reportlimit.Max
}

func (f *findings) add(found validation.Finding) {
	fault := isFault(found.Rule)
	if fault && found.Rule == validation.RuleRequired && f.wrongAt(found.Path) {
		return // the value or an object that contains it is present and has a fault
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
		f.at = map[string]validation.Rule{}
	}
	f.at[found.Path] = found.Rule
}

// wrongAt reports whether there is a fault at the path, or a value of the wrong type at a path above it.
func (f *findings) wrongAt(path string) bool {
	if f.at[path] != "" {
		return true
	}
	for i := strings.LastIndexByte(path, '.'); i >= 0; i = strings.LastIndexByte(path[:i], '.') {
		if f.at[path[:i]] == validation.RuleType {
			return true
		}
	}
	return false
}

// in returns a reporter whose paths begin with path.
func (f *findings) in(path string) reporter {
	return func(part string, rule validation.Rule, format string, args ...any) {
		f.add(validation.Finding{Path: path + part, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
}

// about returns a reporter whose paths begin with the path of an entry.
func (f *findings) about(at entry) reporter {
	return func(part string, rule validation.Rule, format string, args ...any) {
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

// listed returns the warnings. If any fault or warning was omitted, it adds a warning of [validation.RuleLeftOut].
func (f *findings) listed() []validation.Finding {
	if !f.omitted.Any() {
		return f.warnings
	}
	return append(slices.Clip(f.warnings), validation.Finding{Rule: validation.RuleLeftOut, Message: f.omitted.Text()})
}

// err returns a [validation.Error] if there is a fault or, if strict, a warning. If strict, warnings are listed as faults.
func (f *findings) err(strict bool) error {
	e := &validation.Error{Faults: f.faults, Warnings: f.listed(), OmittedFaults: f.omitted.Faults, OmittedWarnings: f.omitted.Warnings}
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
