package web

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// deletion is a page that asks before it deletes a resource.
type deletion struct {
	titleKey string
	page     func(v *visit, key string) (cancelPage, data.Meta, data.DeleteReport, error)
	remove   func(v *visit, key string, o portal.WriteOptions) error
	done     func(v *visit) error
}

func (d deletion) show(v *visit) error { return d.ask(v, 200) }

func (d deletion) ask(v *visit, status int) error {
	page, meta, plan, err := d.page(v, v.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	page.Planned, page.Changed = planned(meta, plan), status != 200
	v.render(status, "cancel", d.titleKey, page)
	return nil
}

// planned returns the fingerprint of what a page says about a delete.
func planned(meta data.Meta, plan data.DeleteReport) string {
	var b strings.Builder
	b.WriteString(meta.ID.String() + " " + strconv.FormatUint(meta.Revision, 10))
	for _, d := range plan.Deleted {
		b.WriteString("\x00" + d.Kind.String() + " " + d.Key)
	}
	for _, d := range plan.Detached {
		b.WriteString("\x00" + d.From.String() + "\x00" + d.To.String())
	}
	return fingerprint(b.String())
}

// save deletes the resource if that would do what the page said, and otherwise asks again.
// A page that is sent twice gets the same answer twice: what it asks for is done.
func (d deletion) save(v *visit) error {
	key, shown := v.r.URL.Query().Get("key"), v.r.PostForm.Get(plannedField)
	var meta data.Meta
	var plan data.DeleteReport
	err := v.read(func() (err error) {
		_, meta, plan, err = d.page(v, key)
		return err
	})
	switch {
	case err == nil && shown == "": // the request did not come from a page
		err = d.remove(v, key, portal.WriteOptions{})
	case err == nil && shown != planned(meta, plan):
		err = portal.ErrChanged
	case err == nil:
		err = d.remove(v, key, portal.WriteOptions{IfUnchanged: &meta, IfPlanned: &plan})
	}
	switch {
	case errors.Is(err, portal.ErrChanged):
		return v.read(func() error { return d.ask(v, 409) })
	case err != nil && !(shown != "" && errors.Is(err, data.ErrResourceNotFound)):
		return err
	}
	return d.done(v)
}

// cancelPage asks whether to delete something, and says what goes with it.
type cancelPage struct {
	Name    string
	Text    string // what it means
	Button  string
	Deleted []kindCount // besides it
	Kept    []kindCount // what stays, and loses a reference
	Back    string
	Planned string // fingerprint of what the page says; "" for what has no plan
	Changed bool   // that is not what the page said before
}

// kindCount is how many of a kind there are.
type kindCount struct {
	Name string
	N    int
}

// plan is a delete as it is told to a visitor: itself is left out.
func (v *visit) plan(report data.DeleteReport, itself data.Ref) (deleted, kept []kindCount) {
	count := func(kinds []data.Kind) (out []kindCount) {
		for _, kind := range data.Kinds() {
			n := 0
			for _, k := range kinds {
				if k == kind {
					n++
				}
			}
			if n > 0 {
				out = append(out, kindCount{v.KindsName(kind), n})
			}
		}
		return out
	}
	var gone, stays []data.Kind
	for _, d := range report.Deleted {
		if d.Key != itself.Key || d.Kind.Class() != itself.Kind.Class() {
			gone = append(gone, d.Kind)
		}
	}
	var seen []data.Ref
	for _, d := range report.Detached {
		if !slices.Contains(seen, d.From) {
			seen = append(seen, d.From)
			stays = append(stays, d.From.Kind)
		}
	}
	return count(gone), count(stays)
}
