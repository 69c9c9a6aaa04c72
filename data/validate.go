package data

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/validation"
)

// Limits of a resource.
const (
	maxTextBytes     = 4096
	maxRefs          = 1000 // references of one resource in all its lists
	maxMetadata      = 50   // keys of custom_metadata
	maxMetadataPatch = 1000 // keys of custom_metadata that one push may set and remove
	maxMetadataKey   = 40   // characters
	maxMetadataText  = 500  // characters
)

// reportKey reports an invalid resource key or customer key.
func reportKey(key string, report reporter) {
	if key == "" {
		report("", validation.RuleRequired, "is required")
	} else if fault := textrules.CheckKey(key); fault != "" {
		report("", validation.RuleKeyFormat, "%s", fault)
	}
}

// reportKeyOf reports an invalid key in the field with this name. It builds the path only if the key is invalid.
func reportKeyOf(name, key string, report reporter) {
	if textrules.CheckKey(key) != "" {
		reportKey(key, under("."+name, report))
	}
}

// checkText returns a description of the fault of a free text, or "" if it is valid.
func checkText(s string) string { return textrules.Check(s, maxTextBytes) }

func checkTimeZone(s string) (validation.Rule, string) {
	if _, err := wallclock.Load(s); err == nil {
		return "", ""
	}
	return validation.RuleFormat, "is not an IANA time zone, such as Europe/Lisbon"
}

func checkClock(s string) (validation.Rule, string) {
	if textrules.IsTimeOfDay(s) {
		return "", ""
	}
	return validation.RuleFormat, "is not a time of day, HH:mm or HH:mm:ss"
}

func checkEmail(s string) (validation.Rule, string) {
	if a, err := mail.ParseAddress(s); err == nil && a.Address == s {
		return "", ""
	}
	return validation.RuleEmailAddress, "is not an e-mail address"
}

func checkPreferredCode(s string) (validation.Rule, string) {
	if textrules.IsAccessCode(s) {
		return "", ""
	}
	return validation.RulePreferredCode, "is not 4 to 9 digits"
}

func checkMetadata(key string, v any, report reporter) {
	switch {
	case key == "":
		report("", validation.RuleFormat, "a key of custom_metadata must not be empty")
	case utf8.RuneCountInString(key) > maxMetadataKey:
		report("", validation.RuleRange, "a key of custom_metadata has at most %d characters", maxMetadataKey)
	case strings.Contains(key, "."):
		report("", validation.RuleFormat, `a key of custom_metadata must not contain "."`)
	case checkText(key) != "":
		report("", validation.RuleTextFormat, "its key %s", checkText(key))
	}
	switch v := v.(type) {
	case nil, bool:
	case string:
		if fault := checkText(v); fault != "" {
			report("", validation.RuleTextFormat, "%s", fault)
		} else if utf8.RuneCountInString(v) > maxMetadataText {
			report("", validation.RuleRange, "has at most %d characters", maxMetadataText)
		}
	default:
		report("", validation.RuleType, "must be a string or a boolean, not %T", v)
	}
}

// timeFormat is the layout of times in the API: RFC 3339 in UTC with six fractional digits.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// FormatTime returns the time in the format of the API: RFC 3339 in UTC with six fractional digits and "Z".
func FormatTime(t time.Time) string { return t.UTC().Format(timeFormat) }

// rfc3339 matches the accepted times. time.Parse is less strict.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// parseTime parses RFC 3339 with any offset and truncates to microseconds. It returns a description of the fault, or "".
func parseTime(s string) (time.Time, string) {
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	if err != nil || !rfc3339.MatchString(s) {
		return time.Time{}, "is not an RFC 3339 time, such as 2025-06-16T15:00:00Z"
	}
	if t = utcMicro(t); t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, "must be after 0001-01-01T00:00:00Z and before the year 10000"
	}
	return t, ""
}

// checkNode reports the faults and warnings of a given resource that do not depend on other resources or on the stored state.
func checkNode(n *node, report reporter) {
	for _, note := range n.notes {
		report(note.Path, note.Rule, "%s", note.Message)
	}
	reportKeyOf(n.kind.KeyField(), n.key, report)
	for _, f := range fieldsOf[n.kind] {
		if !f.value.empty(n) {
			f.value.check(n, f.name, report)
		}
	}
	for i := range fields {
		if f := &fields[i]; !f.kinds.has(n.kind) && !f.value.empty(n) {
			report("."+f.name, validation.RuleNotAField, "is not a field of a %s", n.kind)
		}
	}
	checkRefAliases(n, report)
	for _, name := range n.clear {
		if len(clearedFields(n.kind, name)) == 0 {
			report(".clear", validation.RuleNotAField, "%q is not a field of a %s", textrules.Clip(name), n.kind)
		}
	}
}

// checkRefAliases reports references whose kind is not the alias of any field. Only resources that were built in Go can have
// them.
func checkRefAliases(n *node, report reporter) {
	if n.user != (Ref{}) && !slices.Contains(userAliases, n.user.Kind) {
		report(".user", validation.RuleNotAField, "no field names a user as a %s", n.user.Kind)
	}
	for _, ref := range n.spaces {
		if !allSpaces.has(ref.Kind) {
			report(".spaces", validation.RuleNotAField, "no field names a space as a %s", ref.Kind)
		}
	}
}

// dropBlank clears the free texts that have no visible characters.
func (n *node) dropBlank() {
	for _, f := range fieldsOf[n.kind] {
		v, isText := f.value.(textField)
		if !isText || v.isKey || v.rule != nil {
			continue
		}
		if s := v.at(n); *s != "" && textrules.IsBlank(*s) {
			*s = ""
			n.clear = append(slices.Clip(n.clear), f.name)
		}
	}
}

// checkWhole reports the faults of a resource after the merge with the stored state.
func checkWhole(n *node, report reporter) {
	if n.name == "" && nameRequired.has(n.kind) {
		report(".name", validation.RuleRequired, "is required")
	}
	if !n.startsAt.IsZero() && !n.endsAt.IsZero() && !n.endsAt.After(n.startsAt) {
		report(".ends_at", validation.RuleTimeOrder, "must be after starts_at, %s", FormatTime(n.startsAt))
	}
	if len(n.metadata) > maxMetadata {
		report(".custom_metadata", validation.RuleTooMany, "would have %d keys, and may have %d", len(n.metadata), maxMetadata)
	}
	if len(n.spaces) > maxRefs {
		report("", validation.RuleTooMany, "would name %d spaces, and may name %d", len(n.spaces), maxRefs)
	}
}
