package web

import (
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

// The pages in this file and in move.go change one thing about an access grant with one click, each with a button for every
// choice. A button posts the new value itself, not a difference, so a form that is posted twice has the same effect as once.

const (
	untilField  = "until"  // the new end
	shownField  = "shown"  // the fingerprint of the value that the page showed
	anywayField = "anyway" // set by a visitor who has seen which other access grants overlap
	returnParam = "return" // set to returnToday if the visitor comes from the start page and returns there
	returnToday = "today"
)

// steps are the buttons on the page of an access grant. It has none in a portal that does not allow edits.
type steps struct {
	Key    string
	Ends   bool      // there is an end to change
	Extend *laterEnd // nil if there is no end to extend
	Move   bool
	Hidden []hiddenInput
}

// laterEnd is a button that sets a later end.
type laterEnd struct{ Label, When, Value string } // without When, Label is a time

// extendPage is the content of the page that extends an access grant.
type extendPage struct {
	*form
	Row     grantRow
	Hidden  []hiddenInput
	Nights  []laterEnd
	Late    []laterEnd
	Clashes []clash   // the page asks whether to ignore them
	Until   time.Time // the new end, if there are clashes
	Changed bool
	Back    string
	From    string
}

// stepBack returns the page to which a visitor returns after a step, and its query.
func (x *exchange) stepBack(key string) (path string, pairs []string) {
	if x.r.URL.Query().Get(returnParam) == returnToday && !x.isDeepLink() {
		return pageStart, nil
	}
	return pageGrant, []string{"key", key}
}

// steps returns the buttons on the page of an access grant, or nil in a portal that does not allow edits.
func (x *exchange) steps(g data.AccessGrant, row grantRow) *steps {
	if !x.can(portal.ActionEditAccessGrant) {
		return nil
	}
	out := &steps{Key: g.Key, Ends: !row.Ends.IsZero(), Move: x.can(portal.ActionReadSpaces)}
	if choices := x.laterEnds(row); len(choices) > 0 {
		out.Extend, out.Hidden = &choices[0], stepInputs(row)
	}
	return out
}

// stepInputs returns the hidden inputs of the forms that change the end of an access grant.
func stepInputs(row grantRow) []hiddenInput {
	return []hiddenInput{{shownField, endFingerprint(row)}, {zoneField, row.zone.String()}}
}

func endFingerprint(row grantRow) string { return fingerprint(data.FormatTime(row.Ends)) }

// laterEnds returns the choices of a number of nights or, in a vertical without stays, of months.
func (x *exchange) laterEnds(row grantRow) (out []laterEnd) {
	if row.Ends.IsZero() {
		return nil
	}
	add := func(label string, months, nights int) {
		local := row.Ends.AddDate(0, months, nights)
		if months > 0 && local.Day() != row.Ends.Day() { // the month is shorter
			local = local.AddDate(0, 0, -local.Day())
		}
		out = append(out, x.endingAt("+"+label, local, row.zone))
	}
	if x.localizer.lasting {
		for _, n := range []int{1, 3, 6, 12} {
			add(x.localizer.count("months", n), n, 0)
		}
		return out
	}
	for _, n := range []int{1, 2, 3, 7} {
		add(x.localizer.count("nights", n), 0, n)
	}
	return out
}

func (x *exchange) endingAt(label string, end time.Time, zone *time.Location) laterEnd {
	return laterEnd{label, x.localizer.date(end.In(zone)), wallclock.Format(end, zone)}
}

// lateCheckouts returns the choices of a later time on the day of the departure: the full hours of six hours.
func (x *exchange) lateCheckouts(row grantRow) (out []laterEnd) {
	if row.Ends.IsZero() || x.localizer.lasting {
		return nil
	}
	first := row.Ends
	if now := x.h.db.Now().In(row.zone); now.After(first) {
		first = now
	}
	local := first.In(row.zone)
	past := time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
	for at := first.Add(time.Hour - past); len(out) < 6 && wallclock.DayOf(at, row.zone) == wallclock.DayOf(row.Ends, row.zone); at = at.Add(time.Hour) {
		e := x.endingAt(x.localizer.clock(at.In(row.zone)), at, row.zone)
		e.When = ""
		out = append(out, e)
	}
	return out
}

var extendFields = []fieldSpec{{untilField, "column.ends"}}

// loadExtend returns the page that extends an access grant, the access grant, and its place.
func (x *exchange) loadExtend(f *form) (*extendPage, data.AccessGrant, error) {
	if err := x.session.Can(portal.ActionEditAccessGrant); err != nil {
		return nil, data.AccessGrant{}, err
	}
	g, related, err := x.view.AccessGrant(x.ctx(), x.r.URL.Query().Get("key"))
	if err != nil {
		return nil, g, err
	}
	row := x.newGrantRow(g, related)
	f.Zone = row.zone
	path, pairs := x.stepBack(g.Key)
	return &extendPage{
		form: f, Row: row, Nights: x.laterEnds(row), Late: x.lateCheckouts(row), Hidden: stepInputs(row), Back: x.link(path, pairs...),
	}, g, nil
}

func (x *exchange) renderExtend(status int, p *extendPage) error {
	x.render(status, "extend", "start.extend", p)
	return nil
}

func showExtend(x *exchange) error {
	f := x.newForm(extendFields)
	page, g, err := x.loadExtend(f)
	if err != nil {
		return err
	}
	f.setTime(untilField, g.EndsAt)
	return x.renderExtend(200, page)
}

func saveExtend(x *exchange) error {
	var f *form
	var page *extendPage
	var g, edit data.AccessGrant
	compare := func() (err error) {
		f = x.postedForm(extendFields)
		if page, g, err = x.loadExtend(f); err != nil {
			return err
		}
		if x.localeChanged {
			return x.renderExtend(200, page)
		}
		f.require(x, untilField)
		edit = data.AccessGrant{Key: g.Key, EndsAt: f.time(x, untilField)}
		if f.HasFaults() {
			return x.renderExtend(422, page)
		}
		posted := x.r.PostForm
		shown, zone := posted.Get(shownField), x.postedZone()
		if edit.EndsAt.Equal(g.EndsAt) {
			return nil
		}
		if shown != "" && shown != endFingerprint(page.Row) || zone != nil && zone.String() != f.Zone.String() {
			page.Changed = true
			return x.renderExtend(409, page)
		}
		if posted.Get(anywayField) == "" && !g.EndsAt.IsZero() && edit.EndsAt.After(g.EndsAt) {
			if page.Clashes, err = x.overlapping(g.Spaces, g.EndsAt, edit.EndsAt, g.Key); err != nil {
				return err
			}
			if len(page.Clashes) > 0 {
				page.Until = edit.EndsAt.In(f.Zone)
				return x.renderExtend(409, page)
			}
		}
		return nil
	}
	return x.retryEdit(compare, func() error {
		path, pairs := x.stepBack(g.Key)
		key := "done.shortened"
		if edit.EndsAt.After(g.EndsAt) || edit.EndsAt.Equal(g.EndsAt) {
			key = "done.extended"
		}
		done := newNotice(key, "name", page.Row.Name, "when", x.localizer.dateTime(edit.EndsAt.In(f.Zone)))
		if edit.EndsAt.Equal(g.EndsAt) { // the form was posted twice
			return x.redirectWithNotice(done, path, pairs...)
		}
		after, err := x.session.EditAccessGrant(x.ctx(), edit, portal.WriteOptions{IfUnchanged: &g.Meta})
		if err != nil {
			if err := f.addFaults(x, err, map[string]string{"ends_at": untilField, "starts_at": untilField}); err != nil {
				return err
			}
			return x.inView(func() error { return x.renderExtend(422, page) })
		}
		return x.redirectWithUndo(done, undoOfEdit(page.Row.Name, g, after), path, pairs...)
	})
}
