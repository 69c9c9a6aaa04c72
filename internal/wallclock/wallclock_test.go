package wallclock_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/wallclock"
)

func load(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := wallclock.Load(name)
	require.NoError(t, err)
	return zone
}

func TestLoad_OnlyIANANames_AreAccepted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/Lisbon", "Etc/GMT+5", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "EST5EDT"} {
		require.Equal(t, name, load(t, name).String())
		require.Same(t, load(t, name), load(t, name))
	}
	for _, name := range []string{
		"", "Local", "local", "localtime", "posixrules", "posix/UTC", "right/UTC", "Lisbon", "Europe/Atlantis", "Europe/", "/Europe/Lisbon",
		"../Europe/Lisbon", "Europe/../Europe/Lisbon", "Europe//Lisbon", "Europe/Lisbon/", "/etc/localtime", `Europe\Lisbon`, "Europe/Lisbon\x00", " UTC",
	} {
		_, err := wallclock.Load(name)
		require.Error(t, err, "%q", name)
		require.Contains(t, err.Error(), "Europe/Lisbon", "the error gives an example")
	}
}

func TestParse_SkippedAndRepeatedTimes_FollowRFC5545(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, local, want string }{
		// A gap is interpreted with the offset before it.
		{"America/New_York", "2027-03-14T01:59", "2027-03-14T06:59:00Z"},
		{"America/New_York", "2027-03-14T02:30", "2027-03-14T07:30:00Z"},
		{"America/New_York", "2027-03-14T03:00", "2027-03-14T07:00:00Z"},
		{"Europe/Berlin", "2027-03-28T02:30", "2027-03-28T01:30:00Z"},
		{"Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45:00Z"},
		{"Pacific/Chatham", "2026-09-27T03:00", "2026-09-26T14:15:00Z"},
		{"Africa/Casablanca", "2026-03-22T02:30", "2026-03-22T02:30:00Z"},
		{"America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00:00Z"},
		{"Asia/Beirut", "2026-03-29T00:30", "2026-03-28T22:30:00Z"},
		{"Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00:00Z"},
		{"America/Toronto", "1919-03-31T00:00", "1919-03-31T05:00:00Z"},
		// A time that occurs twice is the first of the two.
		{"Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"},
		{"Australia/Sydney", "2027-04-04T02:30", "2027-04-03T15:30:00Z"},
		{"America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00Z"},
		{"Africa/Casablanca", "2026-02-15T02:30", "2026-02-15T01:30:00Z"},
		{"America/Havana", "2026-11-01T00:00", "2026-11-01T04:00:00Z"},
		// Nothing changes.
		{"Asia/Kathmandu", "2026-06-01T15:00", "2026-06-01T09:15:00Z"},
		{"Asia/Tokyo", "2026-06-01T15:00:30", "2026-06-01T06:00:30Z"},
		{"Asia/Tokyo", "2026-06-01 15:00", "2026-06-01T06:00:00Z"},
		// The first and last years.
		{"UTC", "0001-01-01T00:01", "0001-01-01T00:01:00Z"},
		{"Asia/Tokyo", "9999-12-31T23:59", "9999-12-31T14:59:00Z"},
		{"Asia/Tokyo", "10000-01-01T08:59", "9999-12-31T23:59:00Z"},
		{"America/New_York", "2400-12-31T12:00", "2400-12-31T17:00:00Z"}, // a leap year without recorded changes
		{"America/Santiago", "2040-12-31T00:30", "2040-12-31T03:30:00Z"},
		{"Europe/Berlin", "2999-03-31T02:30", "2999-03-31T01:30:00Z"},
	} {
		got, err := wallclock.Parse(c.local, load(t, c.zone))
		require.NoError(t, err, "%s %s", c.zone, c.local)
		require.Equal(t, c.want, got.UTC().Format(time.RFC3339), "%s %s", c.zone, c.local)
		require.Equal(t, c.zone, got.Location().String())
	}
}

func TestParse_InvalidText_ReturnsError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "2026-06-01", "15:00", "2026-06-01T25:00", "2026-02-30T10:00", "2026-06-01T15:00Z", "026-06-01T15:00", "0010000-01-01T00:00", "x0000-01-01T00:00", "2026-06-01T15:00:61"} {
		_, err := wallclock.Parse(text, time.UTC)
		require.Error(t, err, "%q", text)
	}
}

func TestRepeated_BothInstantsOfALocalTime_AreReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, at string
		want     bool
	}{
		{"Europe/Berlin", "2026-10-24T23:59:00Z", false}, {"Europe/Berlin", "2026-10-25T00:00:00Z", true}, {"Europe/Berlin", "2026-10-25T00:30:00Z", true},
		{"Europe/Berlin", "2026-10-25T01:30:00Z", true}, {"Europe/Berlin", "2026-10-25T02:00:00Z", false}, {"Europe/Berlin", "2026-03-29T01:00:00Z", false},
		{"Australia/Lord_Howe", "2026-04-04T14:45:00Z", true}, {"Australia/Lord_Howe", "2026-04-04T15:15:00Z", true}, {"Australia/Lord_Howe", "2026-04-04T15:30:00Z", false},
		{"UTC", "2026-10-25T01:30:00Z", false}, {"America/New_York", "2040-12-31T12:00:00Z", false}, {"Pacific/Apia", "2011-12-30T10:00:00Z", false},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		require.NoError(t, err)
		require.Equal(t, c.want, wallclock.Repeated(at.In(load(t, c.zone))), "%s %s", c.zone, c.at)
	}
}

func TestDayStart_SkippedOrRepeatedMidnight_IsTheFirstInstant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, day, want string }{
		{"Europe/Lisbon", "2026-06-01", "2026-05-31T23:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"}, // 01:00, midnight is skipped
		{"Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z"},
		{"America/Havana", "2026-03-08", "2026-03-08T05:00:00Z"},
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"}, // midnight occurs twice
		{"Asia/Beirut", "2026-10-25", "2026-10-24T22:00:00Z"},    // 23:00 occurs twice on the evening before
		{"America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"},
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"}, // a day that was skipped
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"},
		{"Asia/Tokyo", "0001-01-01", "0000-12-31T14:41:01Z"},
		{"UTC", "9999-12-31", "9999-12-31T00:00:00Z"},
	} {
		day, err := wallclock.ParseDay(c.day)
		require.NoError(t, err)
		require.Equal(t, c.day, day.String())
		require.Equal(t, c.want, day.Start(load(t, c.zone)).UTC().Format(time.RFC3339), "%s %s", c.zone, c.day)
	}
	for _, text := range []string{"", "yesterday", "2026-13-01", "2026-02-29", "2026-6-1", "0000-12-31", "2026-06-01T00:00"} {
		_, err := wallclock.ParseDay(text)
		require.Error(t, err, "%q", text)
	}
}

func TestDayStart_ClocksChange_DayIsShorterOrLonger(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, day string
		hours     float64
	}{
		{"America/New_York", "2027-03-14", 23}, {"Europe/Berlin", "2026-10-25", 25}, {"Australia/Lord_Howe", "2026-10-04", 23.5},
		{"America/Sao_Paulo", "2018-11-04", 23}, {"America/Sao_Paulo", "2018-02-17", 25}, {"Pacific/Apia", "2011-12-30", 0}, {"Asia/Tokyo", "2026-10-25", 24},
	} {
		day, err := wallclock.ParseDay(c.day)
		require.NoError(t, err)
		zone := load(t, c.zone)
		require.InDelta(t, c.hours, day.Add(1).Start(zone).Sub(day.Start(zone)).Hours(), 0, "%s %s", c.zone, c.day)
	}
}

func TestDaySince_CountsDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"2026-03-29": 1, "2026-03-28": 0, "2026-03-27": -1, "2027-03-28": 365, "2026-02-28": -28} {
		day, err := wallclock.ParseDay(text)
		require.NoError(t, err)
		require.Equal(t, want, day.Since(wallclock.Day{Year: 2026, Month: time.March, Day: 28}), text)
	}
}

func TestNights_CountsCalendarDays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, from, until string
		want              int
	}{
		{"Asia/Tokyo", "2026-06-01T15:00", "2026-06-02T11:00", 1},
		{"Asia/Tokyo", "2026-06-01T15:00", "2026-06-01T23:59", 0},
		{"Asia/Tokyo", "2026-06-01T23:59", "2026-06-02T00:00", 1},
		{"America/New_York", "2027-03-13T15:00", "2027-03-14T11:00", 1}, // 19 hours
		{"Europe/Berlin", "2026-10-24T15:00", "2026-10-25T11:00", 1},    // 21 hours
		{"Europe/Berlin", "2026-10-24T11:00", "2026-10-25T11:00", 1},    // 25 hours
		{"Europe/Berlin", "2027-03-27T12:00", "2027-03-28T11:59", 1},    // 22 hours and 59 minutes
		{"Europe/Berlin", "2026-01-01T15:00", "2027-01-01T11:00", 365},
		{"Pacific/Apia", "2011-12-29T15:00", "2011-12-31T11:00", 1}, // the 30th was skipped
		{"Pacific/Apia", "2012-01-01T15:00", "2012-01-02T11:00", 1},
	} {
		zone := load(t, c.zone)
		from, err := wallclock.Parse(c.from, zone)
		require.NoError(t, err)
		until, err := wallclock.Parse(c.until, zone)
		require.NoError(t, err)
		require.Equal(t, c.want, wallclock.Nights(from.UTC(), until.UTC(), zone), "%s %s", c.zone, c.from)
	}
}

// someZones covers all kinds of rules: offsets of half and quarter hours, changes at midnight, by
// 30 minutes and by a day, negative daylight saving time, and rules that repeat every year.
const someZones = `UTC Africa/Abidjan Africa/Cairo Africa/Casablanca Africa/Monrovia Africa/Windhoek America/Anchorage America/Asuncion
America/Bogota America/Caracas America/Goose_Bay America/Havana America/Los_Angeles America/Mexico_City America/New_York America/Nuuk America/Santiago
America/Sao_Paulo America/St_Johns America/Toronto Antarctica/Troll Asia/Amman Asia/Beirut Asia/Dhaka Asia/Gaza Asia/Jerusalem Asia/Kathmandu Asia/Kolkata
Asia/Manila Asia/Pyongyang Asia/Tehran Asia/Tokyo Atlantic/Azores Australia/Adelaide Australia/Eucla Australia/Lord_Howe Australia/Sydney Etc/GMT+12
Europe/Amsterdam Europe/Berlin Europe/Dublin Europe/Lisbon Europe/London Europe/Moscow Pacific/Apia Pacific/Auckland Pacific/Chatham Pacific/Easter
Pacific/Honolulu Pacific/Kiritimati Pacific/Kwajalein Pacific/Norfolk`

// TestFormat_Parsed_ReturnsTheInstant checks that Parse returns the formatted instant, or the first of two instants with
// the same local time.
func TestFormat_Parsed_ReturnsTheInstant(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	first := time.Date(1, 1, 1, 0, 1, 0, 0, time.UTC)
	last := time.Date(9999, 12, 31, 23, 59, 0, 0, time.UTC)
	repeated := 0
	for _, name := range strings.Fields(someZones) {
		zone := load(t, name)
		check := func(at time.Time) {
			at = at.Truncate(time.Minute)
			_, offset := at.In(zone).Zone()
			if offset%60 != 0 {
				return // local mean time has seconds, which Format omits
			}
			if at.Before(first) || at.After(last) || at.In(zone).Year() < 1 {
				return
			}
			text := wallclock.Format(at, zone)
			back, err := wallclock.Parse(text, zone)
			require.NoError(t, err, "%s %s", name, text)
			require.Equal(t, text, wallclock.Format(back, zone), "%s %v", name, at)
			if !back.Equal(at) {
				require.True(t, wallclock.Repeated(at.In(zone)), "%s %v", name, at)
				require.True(t, wallclock.Repeated(back), "%s %v", name, at)
				require.True(t, back.Before(at), "%s %v: not the first of two instants, %v", name, at, back)
				require.LessOrEqual(t, at.Sub(back), 24*time.Hour, "%s %v", name, at)
				repeated++
			}
			// The day starts at or before the instant, and the next day does not start before it.
			day := wallclock.DayOf(at, zone)
			require.False(t, day.Start(zone).After(at), "%s %v", name, at)
			require.False(t, day.Add(1).Start(zone).Before(day.Start(zone)), "%s %v", name, at)
		}
		for range 200 {
			check(time.Unix(first.Unix()+random.Int64N(last.Unix()-first.Unix()), 0))
			check(time.Date(1900+random.IntN(200), time.Month(1+random.IntN(12)), 1+random.IntN(28), random.IntN(24), random.IntN(60), 0, 0, zone))
		}
		// Times around every change of clocks in 150 years.
		for at := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).In(zone); at.Year() < 2050; {
			_, end := at.ZoneBounds()
			if end.IsZero() {
				break
			}
			if !end.After(at) { // the last day of a leap year
				at = at.Add(24 * time.Hour)
				continue
			}
			for minutes := -180; minutes <= 180; minutes += 15 {
				check(end.Add(time.Duration(minutes) * time.Minute))
			}
			at = end.In(zone)
		}
	}
	require.NotZero(t, repeated, "no repeated hour was tested")
}

// TestInstant_EveryChangeOfClocks_FollowsRFC5545 computes the expected instant from the two offsets around each change.
func TestInstant_EveryChangeOfClocks_FollowsRFC5545(t *testing.T) {
	t.Parallel()
	gaps, twice := 0, 0
	for _, name := range strings.Fields(someZones) {
		zone := load(t, name)
		for at := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).In(zone); at.Year() < 2050; {
			_, change := at.ZoneBounds()
			if change.IsZero() {
				break
			}
			if !change.After(at) { // the last day of a leap year
				at = at.Add(24 * time.Hour)
				continue
			}
			_, before := change.Add(-time.Second).In(zone).Zone()
			_, after := change.In(zone).Zone()
			at = change.In(zone)
			if next, _ := change.Add(27 * time.Hour).In(zone).ZoneBounds(); !next.Equal(change) {
				continue // another change is close
			}
			// Local times from an hour before the change to an hour after it.
			wall := change.UTC().Add(time.Duration(min(before, after))*time.Second - time.Hour)
			end := change.UTC().Add(time.Duration(max(before, after))*time.Second + time.Hour)
			for ; wall.Before(end); wall = wall.Add(10 * time.Minute) {
				old, young := wall.Add(-time.Duration(before)*time.Second), wall.Add(-time.Duration(after)*time.Second)
				want := young
				switch isOld, isYoung := old.Before(change), !young.Before(change); {
				case isOld && isYoung:
					want = old
					twice++
				case isOld:
					want = old
				case !isYoung:
					want = old
					gaps++
				}
				require.Equal(t, want.Unix(), wallclock.Instant(wall, zone).Unix(), "%s %s", name, wall.Format(time.DateTime))
			}
		}
	}
	require.NotZero(t, gaps)
	require.NotZero(t, twice)
}

func FuzzParse(f *testing.F) {
	f.Add("2027-03-14T02:30", "America/New_York")
	f.Add("10000-01-01T00:00", "Asia/Tokyo")
	f.Fuzz(func(t *testing.T, text, name string) {
		zone, err := wallclock.Load(name)
		if err != nil {
			zone = time.UTC
		}
		at, err := wallclock.Parse(text, zone)
		if err != nil {
			return
		}
		again, err := wallclock.Parse(wallclock.Format(at, zone), zone)
		if err == nil && again.After(at) {
			t.Fatalf("%s in %s is %v, read back as %v", text, name, at, again)
		}
	})
}
