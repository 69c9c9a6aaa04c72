package web

import (
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// The times of an access grant are shown in the time zone of its spaces, and all others in
// the time zone of the portal.

// pageZone returns the time zone of times that belong to no space: the portal's, else the
// host's.
func (v *visit) pageZone() *time.Location {
	return portal.Place{TimeZone: v.look.TimeZone}.Zone(v.h.o.Location)
}

// zone returns the time zone of a place.
func (v *visit) zone(p portal.Place) *time.Location { return p.Zone(v.h.o.Location) }

// ZoneName returns the name of the time zone of a time.
func (v *visit) ZoneName(t time.Time) string { return t.Location().String() }

// Local returns a time in the time zone of the pages.
func (v *visit) Local(t time.Time) time.Time { return t.In(v.pageZone()) }

// commonPlace returns what all of some places have in common.
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

// nameZones makes rows that are shown together name their time zones, if these are not
// all the same. It reports whether they are not.
func nameZones(lists ...[]grantRow) bool {
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

// The zone of a form. A form says which time zone its times are in, and carries it. Its
// times are read in that zone, even if the zone of the spaces has changed since. If the visitor
// gives times and spaces that are in another zone, nothing is saved: the form is shown
// again in the zone of the spaces, with the times as they were typed, to be confirmed.

// zoneField is the field of a form that carries its time zone.
const zoneField = "zone"

// carriedZone returns the time zone that the form was shown with, or nil if it carries
// none.
func (v *visit) carriedZone() *time.Location {
	name := v.r.PostForm.Get(zoneField)
	if name == v.h.o.Location.String() {
		return v.h.o.Location
	}
	zone, err := wallclock.Load(name)
	if err != nil {
		return nil
	}
	return zone
}

// placeOf returns the place of an access grant to some spaces, and false if the portal
// shows none of them.
func (v *visit) placeOf(keys []string) (portal.Place, bool, error) {
	if len(keys) == 0 || !v.can(portal.ActionReadSpaces) {
		return portal.Place{}, false, nil
	}
	page, err := v.view.Spaces(v.ctx(), data.Query{Keys: keys, Limit: 1000})
	if err != nil || len(page.Items) == 0 {
		return portal.Place{}, false, err
	}
	return page.Related.GrantPlace(spaceRefs(keys)), true, nil
}

// moveTo puts the form into the time zone of the chosen spaces, and asks the visitor to
// confirm the times that it has, if that is not the zone that the form was shown with.
func (f *form) moveTo(v *visit, zone *time.Location) {
	if zone.String() == f.Zone.String() {
		return
	}
	f.Zone = zone
	f.Faults[zoneField] = v.T("grantform.zone.changed", "zone", zone.String())
}

// propose fills in the times at which a stay that begins today would begin and end.
func (f *form) propose(v *visit, place portal.Place) {
	today := wallclock.DayOf(v.h.db.Now(), f.Zone)
	if at, err := today.At(place.CheckinTime, f.Zone); err == nil {
		f.setTime("starts_at", at)
	}
	if at, err := today.Add(1).At(place.CheckoutTime, f.Zone); err == nil {
		f.setTime("ends_at", at)
	}
}
