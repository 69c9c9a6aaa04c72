// Package wallclock converts between instants and the dates and times of day that
// clocks on a wall show in a time zone. Every place that reads or shows local times
// uses it, so that all of them agree at a change of clocks.
package wallclock

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a time zone is valid or not, whatever the machine has installed
)

// maxOffset is more than the offset from UTC that any time zone ever had.
const maxOffset = 26 * time.Hour

// zoneName is the form of an IANA name. It excludes names that only some machines have,
// such as posix/UTC and localtime, and everything that looks like a path.
var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

// locations holds the time zones that Load has found, by name. There are about 600.
var locations sync.Map

// Load returns the time zone of an IANA name, such as "Europe/Lisbon" or "UTC". It
// refuses the empty name, "Local" and paths, which time.LoadLocation accepts. It is
// safe for concurrent use.
func Load(name string) (*time.Location, error) {
	if known, ok := locations.Load(name); ok {
		return known.(*time.Location), nil
	}
	if !zoneName.MatchString(name) || name == "Local" {
		return nil, fmt.Errorf("wallclock: %q is not the name of an IANA time zone, such as Europe/Lisbon", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("wallclock: %q is not the name of an IANA time zone, such as Europe/Lisbon: %w", name, err)
	}
	locations.Store(name, zone)
	return zone, nil
}

// Instant returns the instant at which clocks in zone show the date and the time of day
// that local shows in its own location. As in RFC 5545, section 3.3.5, a time that
// clocks show twice is the first of the two instants, and a time that they skip is
// interpreted with the offset from UTC before the gap.
func Instant(local time.Time, zone *time.Location) time.Time {
	first, _ := instants(local, zone)
	return first
}

// Repeated reports whether clocks in the location of t show the local time of t at two
// instants, of which t is one.
func Repeated(t time.Time) bool {
	_, second := instants(t, t.Location())
	return !second.IsZero()
}

// instants returns the first and, if there is one, the second instant at which clocks in
// zone show a local time, or the instant for a local time that they skip.
func instants(local time.Time, zone *time.Location) (first, second time.Time) {
	_, shift := local.Zone()
	wall := local.Add(time.Duration(shift) * time.Second).UTC() // the same fields, in UTC
	last := wall.Add(maxOffset)
	var before time.Time // with the offset before at
	for at := wall.Add(-maxOffset); ; {
		end := constantUntil(at, zone)
		_, seconds := at.In(zone).Zone()
		instant := wall.Add(-time.Duration(seconds) * time.Second)
		switch {
		case !instant.Before(at) && (end.IsZero() || instant.Before(end)):
			if !first.IsZero() {
				return first, instant.In(zone)
			}
			first = instant.In(zone)
		case instant.Before(at) && first.IsZero(): // skipped when this offset began
			return before.In(zone), second
		}
		if end.IsZero() || end.After(last) {
			return first, second
		}
		at, before = end, instant
	}
}

// constantUntil returns a time after at, up to which the offset from UTC is that of at, or
// the zero time if it never changes again. It is not always the time of the next change:
// for years without recorded changes ZoneBounds ends at the end of a year, and on the last
// day of a leap year it even ends in the past.
func constantUntil(at time.Time, zone *time.Location) time.Time {
	_, end := at.In(zone).ZoneBounds()
	if !end.IsZero() && !end.After(at) {
		return at.Add(time.Hour)
	}
	return end
}

// The forms in which Parse reads a local time: those of an HTML datetime-local input.
var forms = []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"}

// Parse reads a local time, such as "2026-10-25T02:30", with or without seconds, as
// Instant does. Years have four digits or, from 10000, more.
func Parse(text string, zone *time.Location) (time.Time, error) {
	years, rest := cutYear(text)
	for _, form := range forms {
		if local, err := time.Parse(form, rest); err == nil {
			return Instant(local.AddDate(years, 0, 0), zone), nil
		}
	}
	return time.Time{}, fmt.Errorf("wallclock: %q is not a date and a time of day, such as 2026-10-25T14:30", text)
}

// cutYear takes from a text that begins with a year of five or six digits as many
// multiples of 400 years as leave four digits. The calendar repeats after 400 years.
func cutYear(text string) (years int, rest string) {
	year, day, _ := strings.Cut(text, "-")
	n, err := strconv.Atoi(year)
	if err != nil || len(year) < 5 || len(year) > 6 || n < 10_000 {
		return 0, text
	}
	years = (n/400 - 20) * 400
	return years, fmt.Sprintf("%04d-%s", n-years, day)
}

// Format writes the local time of an instant to the minute, as Parse reads it. The
// seconds of the instant, and which of two instants it is that clocks show alike, are
// not in the text: a form whose text did not change must keep the instant that it has.
func Format(t time.Time, zone *time.Location) string { return t.In(zone).Format(forms[0]) }

// Day is a day of the calendar, in no time zone.
type Day struct {
	Year  int
	Month time.Month
	Day   int
}

// DayOf returns the day that the calendar shows at an instant.
func DayOf(t time.Time, zone *time.Location) Day {
	year, month, day := t.In(zone).Date()
	return Day{year, month, day}
}

// ParseDay reads a day, such as "2026-10-25", of the years 1 to 9999.
func ParseDay(text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return Day{}, fmt.Errorf("wallclock: %q is not a day, such as 2026-10-25", text)
	}
	return DayOf(t, time.UTC), nil
}

// Add returns the day that is a number of days later.
func (d Day) Add(days int) Day { return DayOf(d.utc().AddDate(0, 0, days), time.UTC) }

func (d Day) utc() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// String writes the day as ParseDay reads it.
func (d Day) String() string { return d.utc().Format(time.DateOnly) }

// Start returns the first instant of the day in a time zone. Where clocks skip midnight
// that is the instant after the gap, and where they skip the whole day it is the start
// of the next.
func (d Day) Start(zone *time.Location) time.Time {
	midnight := Instant(d.utc(), zone)
	if DayOf(midnight, zone) == d && midnight.Hour() == 0 && midnight.Minute() == 0 && midnight.Second() == 0 {
		return midnight
	}
	if start, _ := midnight.ZoneBounds(); !start.IsZero() {
		return start.In(zone) // clocks skip midnight
	}
	return midnight
}

// At returns the instant of a time of day, "15:04" or "15:04:05", of the day.
func (d Day) At(clock string, zone *time.Location) (time.Time, error) {
	return Parse(d.String()+"T"+clock, zone)
}

// Nights returns how many nights lie between two instants in a time zone: days of the
// calendar, not multiples of 24 hours. It is 0 if both are on one day.
func Nights(from, until time.Time, zone *time.Location) int {
	from, until = from.In(zone), until.In(zone)
	days := int(DayOf(until, zone).utc().Sub(DayOf(from, zone).utc()) / (24 * time.Hour))
	// A country that moves to the other side of the date line skips or repeats a day.
	_, before := from.Zone()
	_, after := until.Zone()
	const halfDay = 12 * 60 * 60
	switch shift := after - before; {
	case shift > halfDay:
		return days - 1
	case shift < -halfDay:
		return days + 1
	}
	return days
}
