// Package wallclock converts between instants and the local dates and times of a time zone. All
// code that parses or formats local times uses it, so that results agree when clocks change.
package wallclock

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the set of valid time zones does not depend on the machine
)

// maxOffset is greater than the offset from UTC of any time zone at any time.
const maxOffset = 26 * time.Hour

// zoneName matches IANA names. It excludes names that exist only on some machines, such as
// posix/UTC and localtime, and everything that looks like a path.
var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

// locations caches the time zones that Load has returned, by name. There are about 600.
var locations sync.Map

// Load returns the time zone with an IANA name, such as "Europe/Lisbon" or "UTC". Unlike
// time.LoadLocation, it returns an error for the empty name, "Local" and paths. It is safe for
// concurrent use.
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

// Instant returns the instant with the same local date and time of day in zone as local has in
// its own location. RFC 5545, section 3.3.5, applies when clocks change: a local time that
// occurs twice is the first of the two instants, and a local time that is skipped is
// interpreted with the offset from UTC before the gap.
func Instant(local time.Time, zone *time.Location) time.Time {
	first, _ := instants(local, zone)
	return first
}

// Repeated reports whether the local time of t occurs twice in its location.
func Repeated(t time.Time) bool {
	_, second := instants(t, t.Location())
	return !second.IsZero()
}

// instants returns the instants at which a local time occurs in zone. second is the zero time if
// it occurs once. For a local time that is skipped, first is the instant that [Instant] defines.
func instants(local time.Time, zone *time.Location) (first, second time.Time) {
	_, shift := local.Zone()
	wall := local.Add(time.Duration(shift) * time.Second).UTC() // the same fields, in UTC
	last := wall.Add(maxOffset)
	var before time.Time // the instant by the offset before at
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
		case instant.Before(at) && first.IsZero(): // the local time was skipped when this offset began
			return before.In(zone), second
		}
		if end.IsZero() || end.After(last) {
			return first, second
		}
		at, before = end, instant
	}
}

// constantUntil returns a time after at until which the offset from UTC does not change, or the
// zero time if it never changes again. The offset may stay the same after that time: for years
// without recorded changes, ZoneBounds ends at the end of a year, and on the last day of a leap
// year its end is even in the past.
func constantUntil(at time.Time, zone *time.Location) time.Time {
	_, end := at.In(zone).ZoneBounds()
	if !end.IsZero() && !end.After(at) {
		return at.Add(time.Hour)
	}
	return end
}

// forms are the layouts that Parse accepts: the values of an HTML datetime-local input.
var forms = []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"}

// Parse parses a local time, such as "2026-10-25T02:30", with or without seconds, and returns
// its [Instant]. Years have four digits, or more from 10000.
func Parse(text string, zone *time.Location) (time.Time, error) {
	years, rest := cutYear(text)
	for _, form := range forms {
		if local, err := time.Parse(form, rest); err == nil {
			return Instant(local.AddDate(years, 0, 0), zone), nil
		}
	}
	return time.Time{}, fmt.Errorf("wallclock: %q is not a date and a time of day, such as 2026-10-25T14:30", text)
}

// cutYear reduces a leading year of five or six digits to four digits by subtracting a multiple
// of 400 years, after which the calendar repeats. It returns that multiple and the new text.
func cutYear(text string) (years int, rest string) {
	year, day, _ := strings.Cut(text, "-")
	n, err := strconv.Atoi(year)
	if err != nil || len(year) < 5 || len(year) > 6 || n < 10_000 {
		return 0, text
	}
	years = (n/400 - 20) * 400
	return years, fmt.Sprintf("%04d-%s", n-years, day)
}

// Format returns the local time of an instant to the minute, in the first form that [Parse] accepts. The text does not
// contain the seconds, and it does not tell which of two instants with the same local time is meant. A form whose text was
// not changed must therefore keep its instant.
func Format(t time.Time, zone *time.Location) string { return t.In(zone).Format(forms[0]) }

// Day is a calendar day without a time zone.
type Day struct {
	Year  int
	Month time.Month
	Day   int
}

// DayOf returns the local day of an instant in a time zone.
func DayOf(t time.Time, zone *time.Location) Day {
	year, month, day := t.In(zone).Date()
	return Day{year, month, day}
}

// ParseDay parses a day of the years 1 to 9999, such as "2026-10-25".
func ParseDay(text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return Day{}, fmt.Errorf("wallclock: %q is not a day, such as 2026-10-25", text)
	}
	return DayOf(t, time.UTC), nil
}

// Add returns the day that is the given number of days later.
func (d Day) Add(days int) Day { return DayOf(d.utc().AddDate(0, 0, days), time.UTC) }

// Since returns the number of days from another day to this one. It is negative if the other day is later.
func (d Day) Since(other Day) int { return int(d.utc().Sub(other.utc()) / (24 * time.Hour)) }

func (d Day) utc() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// String returns the day in the form that [ParseDay] accepts.
func (d Day) String() string { return d.utc().Format(time.DateOnly) }

// Start returns the first instant of the day in a time zone. If midnight is skipped, it is the
// instant after the gap. If the whole day is skipped, it is the start of the next day.
func (d Day) Start(zone *time.Location) time.Time {
	midnight := Instant(d.utc(), zone)
	if DayOf(midnight, zone) == d && midnight.Hour() == 0 && midnight.Minute() == 0 && midnight.Second() == 0 {
		return midnight
	}
	if start, _ := midnight.ZoneBounds(); !start.IsZero() {
		return start.In(zone) // midnight is skipped
	}
	return midnight
}

// At returns the instant of a time of day, "15:04" or "15:04:05", on the day.
func (d Day) At(clock string, zone *time.Location) (time.Time, error) {
	return Parse(d.String()+"T"+clock, zone)
}

// Nights returns the number of nights between two instants in a time zone. It counts calendar
// days, not multiples of 24 hours, and is 0 if both instants are on the same day.
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
