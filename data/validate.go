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

// Bounds of what a resource holds.
const (
	maxTextBytes     = 4096
	maxRefs          = 1000 // of one resource, in all its lists
	maxMetadata      = 50   // keys that custom_metadata holds
	maxMetadataPatch = 1000 // keys that one push may name in it, to set and to remove
	maxMetadataKey   = 40   // characters
	maxMetadataText  = 500  // characters
)

// reportKey reports what is wrong with a resource or customer key.
func reportKey(key string, report reporter) {
	if key == "" {
		report("", validation.RuleRequired, "is required")
	} else if fault := textrules.CheckKey(key); fault != "" {
		report("", validation.RuleKeyFormat, "%s", fault)
	}
}

// reportKeyOf is reportKey under a field's name.
func reportKeyOf(name, key string, report reporter) {
	if textrules.CheckKey(key) != "" { // or else there is nothing to write a path for
		reportKey(key, under("."+name, report))
	}
}

// checkText says what is wrong with free text, or "".
func checkText(s string) string { return textrules.Check(s, maxTextBytes) }

func checkTimeZone(s string) (validation.Rule, string) {
	if _, err := wallclock.Load(s); err == nil {
		return "", ""
	}
	return validation.RuleFormat, "is not an IANA time zone, such as Europe/Lisbon"
}

var clock = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$`)

func checkClock(s string) (validation.Rule, string) {
	if clock.MatchString(s) {
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

var code = regexp.MustCompile(`^\d{4,9}$`)

func checkPreferredCode(s string) (validation.Rule, string) {
	if code.MatchString(s) {
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

// timeFormat is RFC 3339 in UTC with six digits, as the API writes times.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// FormatTime writes a time as the API does: in UTC, to the microsecond, with six
// digits and Z.
func FormatTime(t time.Time) string { return t.UTC().Format(timeFormat) }

// rfc3339 is the form of a time, which time.Parse takes more loosely.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// parseTime reads RFC 3339 with any offset, to the microsecond.
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

// checkNode reports what is wrong with a resource as it was given, by itself.
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

// checkRefAliases reports references, of a value built in Go, whose kind no field has.
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

// dropBlank makes free text that shows nothing empty, as if it had been cleared.
func (n *node) dropBlank() {
	for _, f := range fieldsOf[n.kind] {
		v, isText := f.value.(text)
		if !isText || v.isKey || v.rule != nil {
			continue
		}
		if s := v.at(n); *s != "" && textrules.IsBlank(*s) {
			*s = ""
			n.clear = append(slices.Clip(n.clear), f.name)
		}
	}
}

// checkWhole reports what is wrong with a resource as it would be kept.
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
