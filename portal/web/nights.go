package web

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// The form of a new stay has the number of nights beside the two times. A visitor who changes the start or the number of nights does
// not have to type the day of the departure. The form contains fingerprints of the end and of the number of nights that it showed,
// because they tell which of the two the visitor typed.

// nightsField is the field with the number of nights of a new stay.
const nightsField = "nights"

// maxNights is the greatest number of nights that the field accepts.
const maxNights = 999

// matchNights makes the posted end of a stay and the number of nights agree. An end that the visitor typed decides, and otherwise
// the number of nights. If the visitor typed both and they differ, it adds a fault. place is that of the chosen spaces.
func (f *form) matchNights(x *exchange, place portal.Place) {
	if x.localizer.lasting {
		return
	}
	defer f.showNights(x)
	typed := func(name string) bool {
		return f.Values[name] != "" && fingerprint(f.Values[name]) != x.r.PostForm.Get(fingerprintPrefix+name)
	}
	starts, ends := f.peekTime("starts_at"), f.peekTime("ends_at")
	nights, err := strconv.Atoi(f.Values[nightsField])
	isNumber := err == nil && nights >= 0 && nights <= maxNights
	switch {
	case typed(nightsField) && !isNumber:
		f.Faults[nightsField] = x.text("grantform.nights.range", "most", maxNights)
	case starts.IsZero() || !isNumber: // without a start there is nothing to count from
	case typed("ends_at"):
		if typed(nightsField) && !ends.IsZero() && wallclock.Nights(starts, ends, f.Zone) != nights {
			f.Faults[nightsField] = x.text("grantform.nights.differ")
		}
	default:
		_, clock, _ := strings.Cut(f.Values["ends_at"], "T")
		f.Values["ends_at"] = fmt.Sprintf("%sT%s", wallclock.DayOf(starts, f.Zone).Add(nights), cmp.Or(clock, place.CheckoutTime, usualCheckout))
	}
}

// showNights sets the number of nights to that of the times, and the fingerprints of the shown values. After a fault it leaves the
// values as the visitor typed them.
func (f *form) showNights(x *exchange) {
	if x.localizer.lasting {
		return
	}
	if f.Faults[nightsField] != "" {
		for _, name := range []string{nightsField, "ends_at"} {
			f.fingerprints[name] = x.r.PostForm.Get(fingerprintPrefix + name)
		}
		return
	}
	if starts, ends := f.peekTime("starts_at"), f.peekTime("ends_at"); !starts.IsZero() && ends.After(starts) {
		f.Values[nightsField] = strconv.Itoa(wallclock.Nights(starts, ends, f.Zone))
	}
	f.Values[nightsField] = cmp.Or(f.Values[nightsField], "1")
	for _, name := range []string{nightsField, "ends_at"} {
		f.fingerprints[name] = fingerprint(f.Values[name])
	}
}
