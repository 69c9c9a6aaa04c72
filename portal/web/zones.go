package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// Pages show the times of an access grant in the time zone of its spaces, and all other times in the time zone of the
// portal.

// pageZone returns the time zone of times that do not belong to a space: that of the portal, or the default of the host.
func (x *exchange) pageZone() *time.Location {
	return portal.Place{TimeZone: x.appearance.TimeZone}.Zone(x.h.options.Location)
}

// zone returns the time zone of a place.
func (x *exchange) zone(p portal.Place) *time.Location { return p.Zone(x.h.options.Location) }

// commonPlace returns a place with those properties that all places share.
func commonPlace(places []portal.Place) (out portal.Place) {
	if len(places) == 0 {
		return out
	}
	out = places[0]
	for _, p := range places[1:] {
		if p.TimeZone != out.TimeZone {
			out.TimeZone = ""
		}
		if p.CheckinTime != out.CheckinTime {
			out.CheckinTime = ""
		}
		if p.CheckoutTime != out.CheckoutTime {
			out.CheckoutTime = ""
		}
	}
	return out
}

// labelZones makes each row name its time zone if the rows of the lists are in different zones. It reports whether they
// are.
func labelZones(lists ...[]grantRow) bool {
	var zones []string
	for _, rows := range lists {
		for _, row := range rows {
			if zone := row.zone.String(); !slices.Contains(zones, zone) && (!row.Starts.IsZero() || !row.Ends.IsZero()) {
				zones = append(zones, zone)
			}
		}
	}
	if len(zones) < 2 {
		return false
	}
	for _, rows := range lists {
		for i := range rows {
			rows[i].Zone = rows[i].zone.String()
		}
	}
	return true
}

// A form names the time zone of its times and contains it in a hidden input. The posted times are read in that zone,
// even if the zone of the spaces has changed since. If the chosen spaces are in another zone than the form, nothing is
// saved. Instead the form is shown again in the zone of the spaces, with the times as they were typed, and the visitor
// confirms them.

// zoneField is the hidden input with the time zone of a form.
const zoneField = "zone"

// postedZone returns the time zone that the form was shown with, or nil if the request does not contain it.
func (x *exchange) postedZone() *time.Location {
	name := x.r.PostForm.Get(zoneField)
	if name == x.h.options.Location.String() {
		return x.h.options.Location
	}
	zone, err := wallclock.Load(name)
	if err != nil {
		return nil
	}
	return zone
}

// grantPlace returns the place of an access grant to some spaces. It returns false if none of them is visible in the
// portal.
func (x *exchange) grantPlace(keys []string) (portal.Place, bool, error) {
	if len(keys) == 0 || !x.can(portal.ActionReadSpaces) {
		return portal.Place{}, false, nil
	}
	page, err := x.view.Spaces(x.ctx(), data.Query{Keys: keys, Limit: 1000})
	if err != nil || len(page.Items) == 0 {
		return portal.Place{}, false, err
	}
	return page.Related.Place(spaceRefs(keys)...), true, nil
}

// changeZone sets the time zone of the form to that of the chosen spaces. If this is another zone, it adds a fault that
// asks the visitor to confirm the times.
func (f *form) changeZone(x *exchange, zone *time.Location) {
	if zone.String() == f.Zone.String() {
		return
	}
	f.Zone = zone
	f.Faults[zoneField] = x.text("grantform.zone.changed", "zone", zone.String())
}

// Times of day for places without usual ones.
const (
	usualCheckin  = "15:00"
	usualCheckout = "11:00"
)

// proposeTimes fills in the times of a stay of one night that begins on a day, or today if day is the zero value.
func (f *form) proposeTimes(x *exchange, place portal.Place, day wallclock.Day) {
	checkin, checkout := place.CheckinTime, place.CheckoutTime
	isGiven := day != wallclock.Day{}
	if !isGiven {
		day = wallclock.DayOf(x.h.db.Now(), f.Zone)
	}
	switch {
	case x.localizer.lasting && isGiven:
		checkin = cmp.Or(checkin, "00:00")
	case !x.localizer.lasting:
		checkin, checkout = cmp.Or(checkin, usualCheckin), cmp.Or(checkout, usualCheckout)
	}
	if at, err := day.At(checkin, f.Zone); err == nil {
		f.setTime("starts_at", at)
	}
	if at, err := day.Add(1).At(checkout, f.Zone); err == nil {
		f.setTime("ends_at", at)
	}
}
