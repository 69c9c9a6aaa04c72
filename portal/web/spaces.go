package web

import (
	"slices"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// spacesPage is the content of the page with the tree of sites and spaces, or with a list of spaces.
type spacesPage struct {
	pager
	Text   string
	All    bool // a list of all spaces instead of the tree
	Sites  []siteBranch
	Rows   []spaceRow
	States bool // Rows have states
	Locks  bool // Rows have devices
	Counts []kindCount
	CanAdd bool
}

// siteBranch is a site and the first spaces in it.
type siteBranch struct {
	Site   data.Space
	Spaces []spaceRow
	More   int // number of spaces that are not listed; -1 if there are more and their number is not known
}

type spaceRow struct {
	data.Space
	Site  string
	State string // who is in the space, or who arrives; "" for a site, for a common area that nobody is in, and with Occupant
	Taken bool

	Occupant string // who is in the space without an end; otherwise ""

	Devices string // the states of its locks and what is wrong with its devices; "" if there is nothing to say
	Trouble bool   // something is wrong with one of its devices
}

const (
	treeSites  = 12 // per page
	treeSpaces = 12 // per site
)

func showSpaces(x *exchange) error {
	asked := x.r.URL.Query()
	out := spacesPage{Text: x.searchText(), All: asked.Get("view") == "all", CanAdd: x.can(portal.ActionCreateSpace)}
	tree, down := !out.All && out.Text == "", x.descending()
	read := func(cursor string) (portal.Page[data.Space], error) {
		q := data.Query{Text: out.Text, ByName: true, Descending: down, Limit: pageLimit, CountLimit: countLimit, Cursor: cursor}
		if tree {
			q.Kinds, q.Limit, q.Descending = []data.Kind{data.KindSite}, treeSites, false
		}
		return x.view.Spaces(x.ctx(), q)
	}
	page, err := readPage(x, cursorParam, read)
	if err != nil {
		return err
	}
	if tree && len(page.Items) == 0 && asked.Get(cursorParam) == "" { // without sites there is no tree
		tree, out.All = false, true
		if page, err = read(""); err != nil {
			return err
		}
	}
	var states *spaceStates
	if len(page.Items) > 0 {
		if states, err = x.newSpaceStates(); err != nil {
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
		inside, err := x.view.Spaces(x.ctx(), data.Query{ParentSiteKey: s.Key, ByName: true, Limit: treeSpaces, CountLimit: countLimit})
		if err != nil {
			return err
		}
		branch := siteBranch{Site: s}
		if branch.Spaces, err = states.rows(inside); err != nil {
			return err
		}
		if branch.More = max(-1, inside.Total-len(inside.Items)); inside.AtLeast {
			branch.More = -1
		}
		out.Sites = append(out.Sites, branch)
	}
	out.States = len(out.Rows) > 0 && states != nil
	if err := states.add(out.Rows, page.Related); err != nil {
		return err
	}
	lists := [][]spaceRow{out.Rows}
	for _, branch := range out.Sites {
		lists = append(lists, branch.Spaces)
	}
	if err := x.addDevices(lists...); err != nil {
		return err
	}
	out.Locks = slices.ContainsFunc(out.Rows, func(row spaceRow) bool { return row.Devices != "" })
	pairs := []string{searchParam, out.Text}
	if out.All {
		pairs = append(pairs, "view", "all")
	}
	if len(out.Rows) > 1 {
		out.pager = newPager(x, page, cursorParam, pageSpaces, append(slices.Clip(pairs), orderParam, order(down))...)
		out.reversible(x, down, pageSpaces, pairs...)
	} else {
		out.pager = newPager(x, page, cursorParam, pageSpaces, pairs...)
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
	Inside         []spaceRow
	InsidePager    pager
	Rows           []grantRow
	RowsAll        string // path of the list of all grants to the space
	Stopped        bool   // the search for Rows reached its limit
	Staff          []data.UserIdentity
	State          *spaceRow // who is in the space; nil for a site and if that is not shown
	Devices        []deviceRow
	Codes          *codesCard // nil if the page shows no codes
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
	states, err := x.newSpaceStates()
	if err != nil {
		return err
	}
	if s.Kind == data.KindSite {
		inside, err := readPage(x, cursorParam, func(cursor string) (portal.Page[data.Space], error) {
			return x.view.Spaces(x.ctx(), data.Query{ParentSiteKey: s.Key, ByName: true, Limit: pageLimit, CountLimit: countLimit, Cursor: cursor})
		})
		if err != nil {
			return err
		}
		if out.Inside, err = states.rows(inside); err != nil {
			return err
		}
		out.InsidePager = newPager(x, inside, cursorParam, pageSpace, "key", s.Key)
	}
	if s.Kind != data.KindSite && states != nil {
		row := []spaceRow{{Space: s}}
		if err := states.add(row, related); err != nil {
			return err
		}
		out.State = &row[0]
	}
	devices, err := x.devicesOf(s.Key)
	if err != nil {
		return err
	}
	out.Devices = devices[s.Key]
	if out.Codes, err = x.codesOfSpace(s, x.zone(out.Place)); err != nil {
		return err
	}
	if out.Grants {
		page, err := x.view.AccessGrants(x.ctx(), data.Query{SpaceKey: s.Key, From: x.h.db.Now(), Limit: 10})
		if err != nil {
			return err
		}
		out.Rows, out.Stopped = x.newGrantRows(page), page.Stopped
		if err := x.addCodes(pointers(out.Rows)); err != nil {
			return err
		}
		out.RowsAll = x.link(pageGrants, "space", s.Key, "state", stateAll)
	}
	if x.can(portal.ActionReadStaff) {
		page, err := x.view.StaffMembers(x.ctx(), data.Query{SpaceKey: s.Key, ByName: true, Limit: 20})
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

// siteNames returns the names of the sites of spaces that the portal shows, by their keys.
func (x *exchange) siteNames(spaces []data.Space) (map[string]string, error) {
	keys := lo.Uniq(lo.FilterMap(spaces, func(s data.Space, _ int) (string, bool) { return s.ParentSiteKey, s.ParentSiteKey != "" }))
	if len(keys) == 0 {
		return nil, nil
	}
	page, err := x.view.Spaces(x.ctx(), data.Query{Keys: keys, Limit: 1000})
	if err != nil {
		return nil, err
	}
	return lo.SliceToMap(page.Items, func(s data.Space) (string, string) { return s.Key, s.Name }), nil
}
