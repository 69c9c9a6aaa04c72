package web

import (
	"slices"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// spaceForm is the content of the page that creates, renames or moves a space.
type spaceForm struct {
	*form
	Mode   string // "new", "rename" or "move"
	Name   string // of the renamed or moved space
	Kinds  []spaceKind
	Sites  []data.Space
	More   bool // there are more sites than the page shows
	Button string
	Back   string
}

func (x *exchange) showSpaceForm(f spaceForm, title string) error {
	if f.Mode != "rename" {
		sites, err := x.view.Spaces(x.ctx(), data.Query{Kinds: []data.Kind{data.KindSite}, ByName: true, Limit: siteLimit})
		if err != nil {
			return err
		}
		f.Sites, f.More = sites.Items, sites.Next != ""
	}
	x.render(f.status(), "spaceform", title, f)
	return nil
}

func (x *exchange) showNewSpaceForm(f *form) error {
	f.creates = true
	return x.showSpaceForm(spaceForm{
		form: f, Mode: "new", Kinds: x.newKinds(f.Values["kind"]), Button: x.text("space.add"), Back: x.link(pageSpaces),
	}, "space.add")
}

// newKinds returns the kinds of spaces that can be created: those of the vertical, and sites.
func (x *exchange) newKinds(chosen string) (out []spaceKind) {
	aliases := []portal.Alias{x.appearance.Aliases.Space}
	aliases = append(aliases, x.appearance.Aliases.AdditionalSpaces...)
	aliases = append(aliases, portal.Alias{ResourceKey: data.KindSite.String()})
	for i, a := range aliases {
		kind, err := data.ParseKind(a.ResourceKey)
		if err != nil {
			continue
		}
		out = append(out, spaceKind{kind, x.kindName(kind), a.ResourceKey == chosen || chosen == "" && i == 0})
	}
	return out
}

// canBeInSite reports whether spaces of a kind can be in a site.
func canBeInSite(kind data.Kind) bool {
	return slices.Contains([]data.Kind{data.KindSpace, data.KindRoom, data.KindUnit, data.KindCommonArea}, kind)
}

// editedSpace returns the space of a page that edits it. It returns an error if the portal does not allow the action.
func (x *exchange) editedSpace(action portal.Action) (data.Space, error) {
	if err := x.session.Can(action); err != nil {
		return data.Space{}, err
	}
	s, _, err := x.view.Space(x.ctx(), x.r.URL.Query().Get("key"))
	return s, err
}

// The fields of a space, in the order of the page.
var (
	renameFields   = []fieldSpec{{"name", "space.name"}}
	moveFields     = []fieldSpec{{"parent_site_key", "noun.site"}}
	newSpaceFields = slices.Concat(renameFields, []fieldSpec{{"kind", "column.kind"}}, moveFields)
)

// renameSpace is the page that renames a space.
var renameSpace = resourceEdit[data.Space]{
	fields: renameFields,
	load:   func(x *exchange) (data.Space, error) { return x.editedSpace(portal.ActionRenameSpace) },
	name:   func(s data.Space) string { return s.Name },
	values: func(_ *form, s data.Space) map[string]string { return map[string]string{"name": s.Name} },
	render: func(x *exchange, f *form, s data.Space) error {
		return x.showSpaceForm(spaceForm{form: f, Mode: "rename", Name: s.Name, Button: x.text("save"), Back: x.resourcePath(s.Ref())}, "space.rename")
	},
	display: textValue,
	write: func(x *exchange, f *form, s data.Space) error {
		_, err := x.session.RenameSpace(x.ctx(), s.Key, f.Values["name"], portal.WriteOptions{IfUnchanged: &s.Meta})
		return err
	},
	notice: func(_ *exchange, f *form, s data.Space) (notice, error) {
		return newNotice("done.renamed", "before", s.Name, "name", f.Values["name"]), nil
	},
}

// moveSpace is the page that moves a space to another site.
var moveSpace = resourceEdit[data.Space]{
	fields: moveFields,
	load:   func(x *exchange) (data.Space, error) { return x.editedSpace(portal.ActionMoveSpace) },
	name:   func(s data.Space) string { return s.Name },
	values: func(_ *form, s data.Space) map[string]string {
		return map[string]string{"parent_site_key": s.ParentSiteKey}
	},
	render: func(x *exchange, f *form, s data.Space) error {
		return x.showSpaceForm(spaceForm{form: f, Mode: "move", Name: s.Name, Button: x.text("space.move"), Back: x.resourcePath(s.Ref())}, "space.move")
	},
	display: func(x *exchange, value string) ([]string, error) {
		if value == "" {
			return []string{x.text("space.nosite")}, nil
		}
		return x.spaceNames([]string{value})
	},
	write: func(x *exchange, f *form, s data.Space) error {
		_, err := x.session.MoveSpace(x.ctx(), s.Key, f.Values["parent_site_key"], portal.WriteOptions{IfUnchanged: &s.Meta})
		return err
	},
	notice: func(x *exchange, f *form, s data.Space) (notice, error) {
		site := f.Values["parent_site_key"]
		if site == "" {
			return newNotice("done.unsited", "name", s.Name), nil
		}
		names, err := x.spaceNames([]string{site})
		if len(names) == 0 {
			names = []string{site} // the session refuses the move
		}
		return newNotice("done.moved", "name", s.Name, "site", names[0]), err
	},
}

func showNewSpace(x *exchange) error {
	if err := x.session.Can(portal.ActionCreateSpace); err != nil {
		return err
	}
	f := x.newForm(newSpaceFields)
	f.Values["parent_site_key"] = x.r.URL.Query().Get("site")
	return x.showNewSpaceForm(f)
}

func saveNewSpace(x *exchange) error {
	if err := x.session.Can(portal.ActionCreateSpace); err != nil {
		return err
	}
	f := x.postedForm(newSpaceFields)
	f.readToken(x)
	if x.isRedraw(f) {
		return x.inView(func() error { return x.showNewSpaceForm(f) })
	}
	f.creates = true
	kinds := x.newKinds(f.Values["kind"])
	space := data.Space{Name: f.Values["name"], ParentSiteKey: f.Values["parent_site_key"]}
	if i := slices.IndexFunc(kinds, func(k spaceKind) bool { return k.Chosen }); i >= 0 {
		space.Kind = kinds[i].Kind
	}
	if !canBeInSite(space.Kind) {
		space.ParentSiteKey = "" // this kind cannot be in a site
	}
	made, err := x.session.CreateSpace(x.ctx(), space, portal.WriteOptions{Token: f.token})
	if err == nil {
		return x.redirectWithNotice(newNotice("done.space", "name", space.Name), pageSpace, "key", made.Key)
	}
	return x.finishCreate(f, err, nil, func() error { return x.showNewSpaceForm(f) }, func(key string) error {
		s, _, err := x.view.Space(x.ctx(), key)
		if err != nil {
			return err
		}
		return x.showExists(f, s.Name, x.resourcePath(s.Ref()), x.editLink(portal.ActionRenameSpace, pageRenameSpace, s.Key))
	})
}

// deleteSpace is the page that deletes a space.
var deleteSpace = deletion{
	titleKey: "cancel.space.title",
	load: func(x *exchange, key string) (deletePage, data.Meta, data.DeleteReport, error) {
		s, err := x.editedSpace(portal.ActionDeleteSpace)
		if err != nil {
			return deletePage{}, s.Meta, data.DeleteReport{}, err
		}
		report, err := x.view.PlanDelete(x.ctx(), s.Ref())
		out := deletePage{Name: s.Name, Kind: x.kindName(s.Kind), Text: x.text("cancel.space"), Button: x.text("cancel.space.button"), Back: x.resourcePath(s.Ref())}
		if err != nil {
			return out, s.Meta, report, err
		}
		out.Deleted, out.Kept = x.countPlan(report, s.Ref())
		out.Affected, err = x.affectedBySpace(s, report)
		return out, s.Meta, report, err
	},
	remove: func(x *exchange, key string, o portal.WriteOptions) error {
		_, err := x.session.DeleteSpace(x.ctx(), key, o)
		return err
	},
	done: func(x *exchange, key, name string) error {
		return x.redirectWithNotice(newNotice("done.deleted", "name", name), pageSpaces)
	},
}
