package web

import (
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// spacesPage is the content of the page with the tree of sites and spaces, or with a list of spaces.
type spacesPage struct {
	Text    string
	All     bool // a list of all spaces instead of the tree
	Sites   []siteBranch
	Rows    []spaceRow
	Next    string
	Stopped bool // the search reached its limit; Next continues it
	First   string
	Counts  []kindCount
	CanAdd  bool
}

// siteBranch is a site and the first spaces in it.
type siteBranch struct {
	Site   data.Space
	Spaces []data.Space
}

type spaceRow struct {
	data.Space
	Site string
}

const (
	treeSites  = 12 // per page
	treeSpaces = 12 // per site
)

func showSpaces(x *exchange) error {
	asked := x.r.URL.Query()
	out := spacesPage{Text: strings.TrimSpace(asked.Get("q")), All: asked.Get("view") == "all", CanAdd: x.can(portal.ActionCreateSpace)}
	cursor := asked.Get("cursor")
	tree := !out.All && out.Text == ""
	q := data.Query{Text: out.Text, Limit: pageLimit, Cursor: cursor}
	if tree {
		q.Kinds, q.Limit = []data.Kind{data.KindSite}, treeSites
	}
	page, err := x.view.Spaces(x.ctx(), q)
	if err != nil {
		return err
	}
	if tree && len(page.Items) == 0 && cursor == "" { // without sites there is no tree
		tree, out.All = false, true
		if page, err = x.view.Spaces(x.ctx(), data.Query{Limit: pageLimit}); err != nil {
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
		inside, err := x.view.Spaces(x.ctx(), data.Query{ParentSiteKey: s.Key, Limit: treeSpaces})
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
		out.Next = x.link(pageSpaces, append(pairs, "cursor", page.Next)...)
	}
	if cursor != "" {
		out.First = x.link(pageSpaces, pairs...)
	}
	counts, err := x.view.Counts()
	if err != nil {
		return err
	}
	for _, kind := range data.Kinds(data.ClassSpace) {
		if n := counts[kind]; n > 0 {
			out.Counts = append(out.Counts, kindCount{x.kindsName(kind), n})
		}
	}
	return x.renderOK("spaces", "nouns."+x.nouns().space, out)
}

// spacePage is the content of the page of a space.
type spacePage struct {
	Space          data.Space
	Site           *data.Space
	Place          portal.Place
	Zone           string // the name of the time zone
	Inside         []data.Space
	Next           string // path of the next page of Inside, or ""
	Rows           []grantRow
	RowsAll        string // path of the list of all grants to the space
	Stopped        bool   // the search for Rows reached its limit
	Staff          []data.UserIdentity
	Grants         bool
	CanCreateGrant bool
}

func showSpace(x *exchange) error {
	asked := x.r.URL.Query()
	s, related, err := x.view.Space(x.ctx(), asked.Get("key"))
	if err != nil {
		return err
	}
	out := spacePage{Space: s, Grants: x.can(portal.ActionReadAccessGrants), CanCreateGrant: x.can(portal.ActionCreateAccessGrant)}
	out.Place = related.Place(s.Ref())
	out.Zone = x.zone(out.Place).String()
	if site, shown := related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
		out.Site = &site
	}
	if s.Kind == data.KindSite {
		inside, err := x.view.Spaces(x.ctx(), data.Query{ParentSiteKey: s.Key, Limit: pageLimit, Cursor: asked.Get("cursor")})
		if err != nil {
			return err
		}
		out.Inside = inside.Items
		if inside.Next != "" {
			out.Next = x.link(pageSpace, "key", s.Key, "cursor", inside.Next)
		}
	}
	if out.Grants {
		page, err := x.view.AccessGrants(x.ctx(), data.Query{SpaceKey: s.Key, From: x.h.db.Now(), Limit: 10})
		if err != nil {
			return err
		}
		out.Rows, out.Stopped = x.newGrantRows(page), page.Stopped
		out.RowsAll = x.link(pageGrants, "space", s.Key, "state", stateAll)
	}
	if x.can(portal.ActionReadStaff) {
		page, err := x.view.StaffMembers(x.ctx(), data.Query{SpaceKey: s.Key, Limit: 20})
		if err != nil {
			return err
		}
		out.Staff = page.Items
	}
	x.render(200, "space", "space.title", out, "name", s.Name)
	return nil
}

type spaceKind struct {
	Kind   data.Kind
	Label  string
	Chosen bool
}

const siteLimit = 200
