package web

import (
	"slices"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// doubleBooking is a warning that somebody else has a chosen space in the chosen time. The button that creates the access grant
// nevertheless posts the fingerprint, so that it does not confirm other spaces or times.
type doubleBooking struct {
	Clashes     []clash
	Fingerprint string
}

const (
	freePages = 4  // pages of spaces that are searched for free ones
	maxPicked = 50 // chosen spaces for which a warning is looked up
)

// bookingFingerprint returns a fingerprint of the spaces and times in a form.
func bookingFingerprint(f *form) string {
	return fingerprint(f.Values[spacesField] + "\x00" + f.Values["starts_at"] + "\x00" + f.Values["ends_at"])
}

// doubleBooking returns a warning about a new access grant, or nil. There is no warning for verticals in which several persons
// have access to a space at the same time.
func (x *exchange) doubleBooking(f *form, g data.AccessGrant) (*doubleBooking, error) {
	if len(g.Spaces) == 0 || len(g.Spaces) > maxPicked || !x.can(portal.ActionReadAccessGrants) || !x.can(portal.ActionReadSpaces) ||
		g.StartsAt.IsZero() || !g.EndsAt.IsZero() && !g.EndsAt.After(g.StartsAt) {
		return nil, nil
	}
	spaces, err := x.view.Spaces(x.ctx(), data.Query{Keys: lo.Map(g.Spaces, func(r data.Ref, _ int) string { return r.Key }), Kinds: idleKinds, Limit: maxPicked})
	if err != nil {
		return nil, err
	}
	refs := lo.Map(spaces.Items, func(s data.Space, _ int) data.Ref { return s.Ref() })
	clashes, err := x.overlapping(refs, g.StartsAt, g.EndsAt, "")
	if err != nil || len(clashes) == 0 {
		return nil, err
	}
	return &doubleBooking{clashes, bookingFingerprint(f)}, nil
}

// isMoot reports whether the warning is of no use: the access grant cannot be created, or the same form, posted before, has created
// one of the access grants of the warning.
func (d *doubleBooking) isMoot(x *exchange, req portal.AccessGrantRequest, token string) bool {
	made, err := x.session.CreateAccessGrant(x.ctx(), req, portal.WriteOptions{Token: token, DryRun: true})
	return err != nil || slices.ContainsFunc(d.Clashes, func(c clash) bool { return c.Row.Ref.Key == made.Key })
}

// freeFirst moves the spaces that are taken in the time of a form behind the others. It reads further spaces if few of the first
// ones are free. It does nothing without a time, and in verticals in which several persons have access to a space at the same time.
func (x *exchange) freeFirst(f *grantForm) error {
	from, until := f.peekTime("starts_at"), f.peekTime("ends_at")
	if x.localizer.lasting || from.IsZero() || !until.After(from) || !x.can(portal.ActionReadAccessGrants) || !x.can(portal.ActionReadSpaces) {
		return nil
	}
	chosen := lo.CountBy(f.Spaces.Options, func(o spaceOption) bool { return o.Chosen })
	free, taken := slices.Clone(f.Spaces.Options[:chosen]), []spaceOption(nil)
	options := f.Spaces.Options[chosen:]
	next := f.Spaces.next
	search := x.newTakenSearch("")
	for i := 1; ; i++ {
		asked := options
		if i == 1 {
			asked = slices.Concat(free, options)
		}
		found, err := search.takenOptions(asked, from, until)
		if err != nil {
			return err
		}
		for j := range chosen {
			free[j].Taken = free[j].Taken || found[free[j].Key]
		}
		for _, o := range options {
			if o.Taken = found[o.Key]; o.Taken {
				taken = append(taken, o)
			} else {
				free = append(free, o)
			}
		}
		if len(free) >= pickerLimit/2 || next == "" || i == freePages {
			break
		}
		page, err := x.view.Spaces(x.ctx(), data.Query{Kinds: pickableKinds, Text: f.Spaces.Find, ByName: true, Limit: pickerLimit, Cursor: next})
		if err != nil {
			return err
		}
		options, next = nil, page.Next
		for _, s := range page.Items {
			if !slices.ContainsFunc(free[:chosen], func(o spaceOption) bool { return o.Key == s.Key }) {
				options = append(options, newSpaceOption(s, page.Related))
			}
		}
	}
	all := append(free, taken...)
	f.Spaces.Options = all[:min(len(all), chosen+pickerLimit)]
	f.Spaces.More = next != "" || len(all) > len(f.Spaces.Options)
	f.Spaces.Unsure = search.Stopped
	return nil
}

// takenOptions returns the keys of those of the spaces to choose from that somebody has in a time.
func (t *takenSearch) takenOptions(options []spaceOption, from, until time.Time) (map[string]bool, error) {
	var spaces []placed
	for _, o := range options {
		if slices.Contains(idleKinds, o.Kind) {
			spaces = append(spaces, placed{o.Key, o.siteKey})
		}
	}
	return t.among(spaces, from, until)
}

// peekTime returns the time of a field, or the zero time if the field is empty or invalid.
func (f *form) peekTime(name string) time.Time {
	t, err := wallclock.Parse(f.Values[name], f.Zone)
	if err != nil {
		return time.Time{}
	}
	return t
}
