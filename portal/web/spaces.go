package web

import (
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// spacesPage is the tree of sites and spaces, or a list of what was looked for.
type spacesPage struct {
	Text   string
	All    bool // a list of all, not the tree
	Sites  []siteBranch
	Rows   []spaceRow
	Next   string
	First  string
	Counts []kindCount
	CanAdd bool
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
	page, err := v.session.Spaces(v.ctx(), q)
	if err != nil {
		return err
	}
	if tree && len(page.Items) == 0 && cursor == "" { // there is no site, so that there is no tree
		tree, out.All = false, true
		if page, err = v.session.Spaces(v.ctx(), data.Query{Limit: pageLimit}); err != nil {
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
		inside, err := v.session.Spaces(v.ctx(), data.Query{ParentSiteKey: s.Key, Limit: treeSpaces})
		if err != nil {
			return err
		}
		out.Sites = append(out.Sites, siteBranch{s, inside.Items})
	}
	pairs := []string{"q", out.Text}
	if out.All {
		pairs = append(pairs, "view", "all")
	}
	if page.Next != "" {
		out.Next = v.Link(pageSpaces, append(pairs, "cursor", page.Next)...)
	}
	if cursor != "" {
		out.First = v.Link(pageSpaces, pairs...)
	}
	counts, err := v.session.Counts(v.ctx())
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
	Staff   []data.UserIdentity
	Grants  bool
	CanUse  bool
}

func showSpace(v *visit) error {
	asked := v.r.URL.Query()
	s, related, err := v.session.Space(v.ctx(), asked.Get("key"))
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
		inside, err := v.session.Spaces(v.ctx(), data.Query{ParentSiteKey: s.Key, Limit: pageLimit, Cursor: asked.Get("cursor")})
		if err != nil {
			return err
		}
		out.Inside = inside.Items
		if inside.Next != "" {
			out.Next = v.Link(pageSpace, "key", s.Key, "cursor", inside.Next)
		}
	}
	if out.Grants {
		page, err := v.session.AccessGrants(v.ctx(), data.Query{SpaceKey: s.Key, From: v.h.o.Now(), Limit: 10})
		if err != nil {
			return err
		}
		out.Rows = v.rows(page)
		out.RowsAll = v.Link(pageGrants, "space", s.Key, "state", stateAll)
	}
	if v.can(portal.ActionReadStaff) {
		page, err := v.session.StaffMembers(v.ctx(), data.Query{SpaceKey: s.Key, Limit: 20})
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

const siteLimit = 200

func (v *visit) showSpaceForm(f spaceForm, title string) error {
	if f.What != "rename" {
		sites, err := v.session.Spaces(v.ctx(), data.Query{Kinds: []data.Kind{data.KindSite}, Limit: siteLimit})
		if err != nil {
			return err
		}
		f.Sites, f.More = sites.Items, sites.Next != ""
	}
	status := 200
	if f.Faulty() {
		status = 422
	}
	v.render(status, "spaceform", title, f)
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

func showNewSpace(v *visit) error {
	if err := v.session.Can(portal.ActionCreateSpace); err != nil {
		return err
	}
	f := v.filled("parent_site_key", v.r.URL.Query().Get("site"))
	return v.showSpaceForm(spaceForm{form: f, What: "new", Kinds: v.newKinds(""), Button: v.T("space.add"), Back: v.Link(pageSpaces)}, "space.add")
}

func saveNewSpace(v *visit) error {
	f := v.typed("name", "parent_site_key", "kind")
	kinds := v.newKinds(f.Values["kind"])
	space := data.Space{Name: f.Values["name"], ParentSiteKey: f.Values["parent_site_key"]}
	if i := slices.IndexFunc(kinds, func(k spaceKind) bool { return k.Chosen }); i >= 0 {
		space.Kind = kinds[i].Kind
	}
	if !movable(space.Kind) {
		space.ParentSiteKey = "" // it lies in no site
	}
	made, err := v.session.CreateSpace(v.ctx(), space)
	if err == nil {
		return v.done("created", pageSpace, "key", made.Key)
	}
	if err := f.take(v, err, nil); err != nil {
		return err
	}
	return v.showSpaceForm(spaceForm{form: f, What: "new", Kinds: kinds, Button: v.T("space.add"), Back: v.Link(pageSpaces)}, "space.add")
}

// space is the space that a page is about, where an action is allowed.
func (v *visit) space(action portal.Action) (data.Space, string, error) {
	if err := v.session.Can(action); err != nil {
		return data.Space{}, "", err
	}
	s, _, err := v.session.Space(v.ctx(), v.r.URL.Query().Get("key"))
	return s, v.Link(pageSpace, "key", s.Key), err
}

func showRenameSpace(v *visit) error {
	s, back, err := v.space(portal.ActionRenameSpace)
	if err != nil {
		return err
	}
	return v.showSpaceForm(spaceForm{form: v.filled("name", s.Name), What: "rename", Name: s.Name, Button: v.T("save"), Back: back}, "space.rename")
}

func saveRenameSpace(v *visit) error {
	s, back, err := v.space(portal.ActionRenameSpace)
	if err != nil {
		return err
	}
	f := v.typed("name")
	if _, err = v.session.RenameSpace(v.ctx(), s.Key, f.Values["name"]); err == nil {
		return v.done("renamed", pageSpace, "key", s.Key)
	}
	if err := f.take(v, err, nil); err != nil {
		return err
	}
	return v.showSpaceForm(spaceForm{form: f, What: "rename", Name: s.Name, Button: v.T("save"), Back: back}, "space.rename")
}

func showMoveSpace(v *visit) error {
	s, back, err := v.space(portal.ActionMoveSpace)
	if err != nil {
		return err
	}
	return v.showSpaceForm(spaceForm{form: v.filled("parent_site_key", s.ParentSiteKey), What: "move", Name: s.Name, Button: v.T("space.move"), Back: back}, "space.move")
}

func saveMoveSpace(v *visit) error {
	s, back, err := v.space(portal.ActionMoveSpace)
	if err != nil {
		return err
	}
	f := v.typed("parent_site_key")
	if _, err = v.session.MoveSpace(v.ctx(), s.Key, f.Values["parent_site_key"]); err == nil {
		return v.done("moved", pageSpace, "key", s.Key)
	}
	if err := f.take(v, err, nil); err != nil {
		return err
	}
	return v.showSpaceForm(spaceForm{form: f, What: "move", Name: s.Name, Button: v.T("space.move"), Back: back}, "space.move")
}

// movable is whether spaces of a kind can lie in a site.
func movable(kind data.Kind) bool {
	return slices.Contains([]data.Kind{data.KindSpace, data.KindRoom, data.KindUnit, data.KindCommonArea}, kind)
}

// Movable is whether a space can lie in a site.
func (v *visit) Movable(s data.Space) bool { return movable(s.Kind) }

func showDeleteSpace(v *visit) error {
	s, back, err := v.space(portal.ActionDeleteSpace)
	if err != nil {
		return err
	}
	report, err := v.session.PlanDeleteSpace(v.ctx(), s.Key)
	if err != nil {
		return err
	}
	out := cancelPage{Name: s.Name, Text: v.T("cancel.space"), Button: v.T("cancel.space.button"), Back: back}
	out.Deleted, out.Kept = v.plan(report, s.Ref())
	return v.show("cancel", "cancel.space.title", out)
}

func saveDeleteSpace(v *visit) error {
	if _, err := v.session.DeleteSpace(v.ctx(), v.r.URL.Query().Get("key")); err != nil {
		return err
	}
	return v.done("deleted", pageSpaces)
}
