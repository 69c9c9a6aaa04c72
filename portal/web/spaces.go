package web

import (
	"errors"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// spacesPage is the tree of sites and spaces, or a list of what was looked for.
type spacesPage struct {
	Text    string
	All     bool // a list of all, not the tree
	Sites   []siteBranch
	Rows    []spaceRow
	Next    string
	Stopped bool // the page ended before all was searched; Next continues
	First   string
	Counts  []kindCount
	CanAdd  bool
}

// siteBranch is a site and some of what lies in it.
type siteBranch struct {
	Site   data.Space
	Spaces []data.Space
}

type spaceRow struct {
	data.Space
	Site string
}

const (
	treeSites  = 12 // of a page
	treeSpaces = 12 // of a site
)

func showSpaces(v *visit) error {
	asked := v.r.URL.Query()
	out := spacesPage{Text: strings.TrimSpace(asked.Get("q")), All: asked.Get("view") == "all", CanAdd: v.can(portal.ActionCreateSpace)}
	cursor := asked.Get("cursor")
	tree := !out.All && out.Text == ""
	q := data.Query{Text: out.Text, Limit: pageLimit, Cursor: cursor}
	if tree {
		q.Kinds, q.Limit = []data.Kind{data.KindSite}, treeSites
	}
	page, err := v.view.Spaces(v.ctx(), q)
	if err != nil {
		return err
	}
	if tree && len(page.Items) == 0 && cursor == "" { // there is no site, so that there is no tree
		tree, out.All = false, true
		if page, err = v.view.Spaces(v.ctx(), data.Query{Limit: pageLimit}); err != nil {
			return err
		}
	}
	for _, s := range page.Items {
		if !tree {
			row := spaceRow{Space: s}
			if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
				row.Site = site.Name
			}
			out.Rows = append(out.Rows, row)
			continue
		}
		inside, err := v.view.Spaces(v.ctx(), data.Query{ParentSiteKey: s.Key, Limit: treeSpaces})
		if err != nil {
			return err
		}
		out.Sites = append(out.Sites, siteBranch{s, inside.Items})
	}
	pairs := []string{"q", out.Text}
	if out.All {
		pairs = append(pairs, "view", "all")
	}
	if out.Stopped = page.Stopped; page.Next != "" {
		out.Next = v.Link(pageSpaces, append(pairs, "cursor", page.Next)...)
	}
	if cursor != "" {
		out.First = v.Link(pageSpaces, pairs...)
	}
	counts, err := v.view.Counts()
	if err != nil {
		return err
	}
	for _, kind := range data.Kinds(data.ClassSpace) {
		if n := counts[kind]; n > 0 {
			out.Counts = append(out.Counts, kindCount{v.KindsName(kind), n})
		}
	}
	return v.show("spaces", "nouns.space", out)
}

// spacePage is one space, with what belongs to it. What a space's devices will be has
// its place here: they are a part of this page that a host fills.
type spacePage struct {
	Space   data.Space
	Site    *data.Space
	Place   portal.Place
	Zone    string // the name of its time zone
	Inside  []data.Space
	Next    string // path of the next of those
	Rows    []grantRow
	RowsAll string // path of all of them
	Stopped bool   // Rows ended before all was searched
	Staff   []data.UserIdentity
	Grants  bool
	CanUse  bool
}

func showSpace(v *visit) error {
	asked := v.r.URL.Query()
	s, related, err := v.view.Space(v.ctx(), asked.Get("key"))
	if err != nil {
		return err
	}
	out := spacePage{Space: s, Grants: v.can(portal.ActionReadAccessGrants), CanUse: v.can(portal.ActionCreateAccessGrant)}
	out.Place = related.Place(s.Ref())
	out.Zone = v.zone(out.Place).String()
	if site, shown := related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
		out.Site = &site
	}
	if s.Kind == data.KindSite {
		inside, err := v.view.Spaces(v.ctx(), data.Query{ParentSiteKey: s.Key, Limit: pageLimit, Cursor: asked.Get("cursor")})
		if err != nil {
			return err
		}
		out.Inside = inside.Items
		if inside.Next != "" {
			out.Next = v.Link(pageSpace, "key", s.Key, "cursor", inside.Next)
		}
	}
	if out.Grants {
		page, err := v.view.AccessGrants(v.ctx(), data.Query{SpaceKey: s.Key, From: v.h.db.Now(), Limit: 10})
		if err != nil {
			return err
		}
		out.Rows, out.Stopped = v.rows(page), page.Stopped
		out.RowsAll = v.Link(pageGrants, "space", s.Key, "state", stateAll)
	}
	if v.can(portal.ActionReadStaff) {
		page, err := v.view.StaffMembers(v.ctx(), data.Query{SpaceKey: s.Key, Limit: 20})
		if err != nil {
			return err
		}
		out.Staff = page.Items
	}
	v.render(200, "space", "space.title", out, "name", s.Name)
	return nil
}

// spaceForm is the page on which a space is made, renamed or moved.
type spaceForm struct {
	*form
	What   string // "new", "rename" or "move"
	Name   string // of the space that is changed
	Kinds  []spaceKind
	Sites  []data.Space
	More   bool // there are more sites
	Button string
	Back   string
}

type spaceKind struct {
	Kind   data.Kind
	Label  string
	Chosen bool
}

// The fields of a space, in the order of the page.
var (
	renameFields   = []fieldSpec{{"name", "field.name"}}
	moveFields     = []fieldSpec{{"parent_site_key", "noun.site"}}
	newSpaceFields = slices.Concat(renameFields, []fieldSpec{{"kind", "column.kind"}}, moveFields)
)

const siteLimit = 200

func (v *visit) showSpaceForm(f spaceForm, title string) error {
	if f.What != "rename" {
		sites, err := v.view.Spaces(v.ctx(), data.Query{Kinds: []data.Kind{data.KindSite}, Limit: siteLimit})
		if err != nil {
			return err
		}
		f.Sites, f.More = sites.Items, sites.Next != ""
	}
	v.render(f.status(), "spaceform", title, f)
	return nil
}

// newKinds are the kinds to make: those of the vertical, and a site.
func (v *visit) newKinds(chosen string) (out []spaceKind) {
	aliases := []portal.Alias{v.look.Aliases.Space}
	aliases = append(aliases, v.look.Aliases.AdditionalSpaces...)
	aliases = append(aliases, portal.Alias{ResourceKey: data.KindSite.String()})
	for i, a := range aliases {
		kind, err := data.ParseKind(a.ResourceKey)
		if err != nil {
			continue
		}
		out = append(out, spaceKind{kind, v.KindName(kind), a.ResourceKey == chosen || chosen == "" && i == 0})
	}
	return out
}

func (v *visit) showNewSpaceForm(f *form) error {
	f.creates = true
	return v.showSpaceForm(spaceForm{
		form: f, What: "new", Kinds: v.newKinds(f.Values["kind"]), Button: v.T("space.add"), Back: v.Link(pageSpaces),
	}, "space.add")
}

func showNewSpace(v *visit) error {
	if err := v.session.Can(portal.ActionCreateSpace); err != nil {
		return err
	}
	f := v.form(newSpaceFields)
	f.Values["parent_site_key"] = v.r.URL.Query().Get("site")
	return v.showNewSpaceForm(f)
}

func saveNewSpace(v *visit) error {
	if err := v.session.Can(portal.ActionCreateSpace); err != nil {
		return err
	}
	f := v.typed(newSpaceFields)
	f.begin(v)
	if v.redrawing(f) {
		return v.read(func() error { return v.showNewSpaceForm(f) })
	}
	f.creates = true
	kinds := v.newKinds(f.Values["kind"])
	space := data.Space{Name: f.Values["name"], ParentSiteKey: f.Values["parent_site_key"]}
	if i := slices.IndexFunc(kinds, func(k spaceKind) bool { return k.Chosen }); i >= 0 {
		space.Kind = kinds[i].Kind
	}
	if !movable(space.Kind) {
		space.ParentSiteKey = "" // it lies in no site
	}
	made, err := v.session.CreateSpace(v.ctx(), space, portal.WriteOptions{Token: f.token})
	var exists *portal.ExistsError
	switch {
	case err == nil:
		return v.done("created", pageSpace, "key", made.Key)
	case errors.As(err, &exists):
		return v.read(func() error {
			s, _, err := v.view.Space(v.ctx(), exists.Key)
			if err != nil {
				return err
			}
			return v.showExists(f, s.Name, v.Link(pageSpace, "key", s.Key), v.editLink(portal.ActionRenameSpace, pageRenameSpace, s.Key))
		})
	}
	if err := f.take(v, err, nil); err != nil {
		return err
	}
	return v.read(func() error { return v.showNewSpaceForm(f) })
}

// space is the space that a page is about, where an action is allowed.
func (v *visit) space(action portal.Action) (data.Space, string, error) {
	if err := v.session.Can(action); err != nil {
		return data.Space{}, "", err
	}
	s, _, err := v.view.Space(v.ctx(), v.r.URL.Query().Get("key"))
	return s, v.Link(pageSpace, "key", s.Key), err
}

// spaceEdit is a page that changes one field of a space.
type spaceEdit struct {
	action         portal.Action
	what, title    string
	button, done   string
	fields         []fieldSpec
	value          func(data.Space) string
	write          func(v *visit, key, value string, o portal.WriteOptions) error
	valueOnThePage func(v *visit, value string) ([]string, error)
}

func (e spaceEdit) page(v *visit, f *form, s data.Space, back string) error {
	return v.showSpaceForm(spaceForm{form: f, What: e.what, Name: s.Name, Button: v.T(e.button), Back: back}, e.title)
}

func (e spaceEdit) show(v *visit) error {
	s, back, err := v.space(e.action)
	if err != nil {
		return err
	}
	f := v.form(e.fields)
	f.shows(map[string]string{e.fields[0].name: e.value(s)})
	return e.page(v, f, s, back)
}

func (e spaceEdit) save(v *visit) error {
	var s data.Space
	var back string
	var f *form
	name := e.fields[0].name
	compare := func() (err error) {
		if s, back, err = v.space(e.action); err != nil {
			return err
		}
		f = v.typed(e.fields)
		f.compare(v, map[string]string{name: e.value(s)})
		if v.redrawing(f) {
			return e.page(v, f, s, back)
		}
		if len(f.conflicts) > 0 {
			return v.showConflicts(f, s.Name, back, func(_, value string) ([]string, error) { return e.valueOnThePage(v, value) })
		}
		return nil
	}
	return v.editing(compare, func() error {
		if f.changed[name] {
			if err := e.write(v, s.Key, f.Values[name], portal.WriteOptions{IfUnchanged: &s.Meta}); err != nil {
				if err := f.take(v, err, nil); err != nil {
					return err
				}
				return v.read(func() error { return e.page(v, f, s, back) })
			}
		}
		return v.done(e.done, pageSpace, "key", s.Key)
	})
}

var renameSpace = spaceEdit{
	action: portal.ActionRenameSpace, what: "rename", title: "space.rename", button: "save", done: "renamed", fields: renameFields,
	value: func(s data.Space) string { return s.Name },
	write: func(v *visit, key, value string, o portal.WriteOptions) error {
		_, err := v.session.RenameSpace(v.ctx(), key, value, o)
		return err
	},
	valueOnThePage: func(_ *visit, value string) ([]string, error) { return asText("", value) },
}

var moveSpace = spaceEdit{
	action: portal.ActionMoveSpace, what: "move", title: "space.move", button: "space.move", done: "moved", fields: moveFields,
	value: func(s data.Space) string { return s.ParentSiteKey },
	write: func(v *visit, key, value string, o portal.WriteOptions) error {
		_, err := v.session.MoveSpace(v.ctx(), key, value, o)
		return err
	},
	valueOnThePage: func(v *visit, value string) ([]string, error) {
		if value == "" {
			return []string{v.T("space.nosite")}, nil
		}
		return v.spaceNames([]string{value})
	},
}

// movable reports whether spaces of a kind can lie in a site.
func movable(kind data.Kind) bool {
	return slices.Contains([]data.Kind{data.KindSpace, data.KindRoom, data.KindUnit, data.KindCommonArea}, kind)
}

// Movable reports whether a space can lie in a site.
func (v *visit) Movable(s data.Space) bool { return movable(s.Kind) }

// deleteSpace is the page that deletes a space.
var deleteSpace = deletion{
	titleKey: "cancel.space.title",
	page: func(v *visit, key string) (cancelPage, data.Meta, data.DeleteReport, error) {
		s, back, err := v.space(portal.ActionDeleteSpace)
		if err != nil {
			return cancelPage{}, s.Meta, data.DeleteReport{}, err
		}
		report, err := v.view.PlanDelete(v.ctx(), s.Ref())
		out := cancelPage{Name: s.Name, Text: v.T("cancel.space"), Button: v.T("cancel.space.button"), Back: back}
		out.Deleted, out.Kept = v.plan(report, s.Ref())
		return out, s.Meta, report, err
	},
	remove: func(v *visit, key string, o portal.WriteOptions) error {
		_, err := v.session.DeleteSpace(v.ctx(), key, o)
		return err
	},
	done: func(v *visit) error { return v.done("deleted", pageSpaces) },
}
