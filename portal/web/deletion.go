package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// deletion is a page that asks before it deletes a resource.
type deletion struct {
	titleKey string // if it ends with a period, the vertical's noun for an access grant follows
	load     func(x *exchange, key string) (deletePage, data.Meta, data.DeleteReport, error)
	remove   func(x *exchange, key string, o portal.WriteOptions) error
	done     func(x *exchange, key, name string) error
}

func (d deletion) show(x *exchange) error { return d.render(x, http.StatusOK) }

// render shows the page. The status is StatusConflict if the effects have changed, and StatusUnprocessableEntity if the visitor has
// not typed the name.
func (d deletion) render(x *exchange, status int) error {
	page, meta, plan, err := d.load(x, x.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	page.Planned, page.Changed, page.TypeName = page.fingerprint(meta, plan), status == http.StatusConflict, mustTypeName(plan)
	if status == http.StatusUnprocessableEntity {
		page.Typed, page.Fault = x.r.PostForm.Get(typedNameField), x.text("cancel.type.wrong")
	}
	titleKey := d.titleKey
	if strings.HasSuffix(titleKey, ".") {
		titleKey += x.nouns().grant
	}
	x.render(status, "cancel", titleKey, page, "name", page.Name)
	return nil
}

// fingerprint returns a fingerprint of everything that the page shows about a delete.
func (p deletePage) fingerprint(meta data.Meta, plan data.DeleteReport) string {
	var b strings.Builder
	b.WriteString(meta.ID.String() + " " + strconv.FormatUint(meta.Revision, 10))
	for _, d := range plan.Deleted {
		b.WriteString("\x00" + d.Kind.String() + " " + d.Key)
	}
	for _, d := range plan.Detached {
		b.WriteString("\x00" + d.From.String() + "\x00" + d.To.String())
	}
	b.WriteString(affectedText(p.Affected))
	return fingerprint(b.String())
}

// save deletes the resource if that has the effects that the page showed. Otherwise it shows the page again. If the page
// is posted twice, the second response is the same as the first.
func (d deletion) save(x *exchange) error {
	key, shown := x.r.URL.Query().Get("key"), x.r.PostForm.Get(plannedField)
	var meta data.Meta
	var plan data.DeleteReport
	var page deletePage
	err := x.inView(func() (err error) {
		page, meta, plan, err = d.load(x, key)
		return err
	})
	switch {
	case err == nil && (shown == "" || shown == page.fingerprint(meta, plan)) && mustTypeName(plan) && !isSameName(x.r.PostForm.Get(typedNameField), page.Name):
		return x.inView(func() error { return d.render(x, http.StatusUnprocessableEntity) })
	case err == nil && shown == "": // the request did not come from a page
		err = d.remove(x, key, portal.WriteOptions{})
	case err == nil && shown != page.fingerprint(meta, plan):
		err = portal.ErrChanged
	case err == nil:
		err = d.remove(x, key, portal.WriteOptions{IfUnchanged: &meta, IfPlanned: &plan})
	}
	switch {
	case errors.Is(err, portal.ErrChanged):
		return x.inView(func() error { return d.render(x, http.StatusConflict) })
	case err != nil && !(shown != "" && errors.Is(err, data.ErrResourceNotFound)):
		return err
	}
	return d.done(x, key, cmp.Or(page.Name, x.r.PostForm.Get(namedField), key))
}

// deletePage is the content of a page that asks before it deletes something.
type deletePage struct {
	Name    string
	Kind    string // set if the title of the page contains Name
	Text    string // the consequences in general
	Button  string
	Keep    string      // the link that does not delete; "" for the usual text
	Deleted []kindCount // other resources that are deleted too
	Kept    []kindCount // resources that remain and lose a reference
	Back    string
	Planned string // fingerprint of the plan; "" if there is no plan
	Changed bool   // the plan differs from the one that the page showed before

	Affected []affected
	TypeName bool   // the visitor must type the name
	Typed    string // what the visitor typed
	Fault    string // of the typed name
}

// kindCount is the number of resources of a kind.
type kindCount struct {
	Name string
	N    int
}

// countPlan returns the numbers of resources that a delete removes and detaches, by kind. It does not count the resource
// itself.
func (x *exchange) countPlan(report data.DeleteReport, itself data.Ref) (deleted, kept []kindCount) {
	count := func(kinds []data.Kind) (out []kindCount) {
		for _, kind := range data.Kinds() {
			n := 0
			for _, k := range kinds {
				if k == kind {
					n++
				}
			}
			if n > 0 {
				out = append(out, kindCount{x.kindsName(kind), n})
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
