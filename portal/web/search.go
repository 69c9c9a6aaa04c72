package web

import (
	"cmp"
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// searchPage is the content of the page with the results of a search.
type searchPage struct {
	Text   string
	Groups []searchGroup // those with results; one with an exact match comes first
}

// searchGroup contains the results of one type.
type searchGroup struct {
	Name    string
	Rows    []grantRow   // access grants
	Items   []searchItem // other resources
	All     string       // path of the list with all results; "" if the group has all
	Stopped bool         // not everything was searched
	exact   bool
}

type searchItem struct {
	Ref          data.Ref
	Name, Detail string
}

// searchLimit is the number of results in each group.
const searchLimit = 10

// showSearch serves the search box, which every page has.
func showSearch(x *exchange) error {
	out := searchPage{Text: x.searchText()}
	if out.Text == "" {
		return x.renderOK("search", "search", out)
	}
	q := data.Query{Text: out.Text, Limit: searchLimit}
	var grants, guests, spaces, devices, staff searchGroup
	for _, find := range []struct {
		action portal.Action
		group  *searchGroup
		read   func() (searchGroup, error)
	}{
		{portal.ActionReadUserIdentities, &guests, func() (searchGroup, error) { return findGuests(x, q) }},
		{portal.ActionReadAccessGrants, &grants, func() (searchGroup, error) { return findGrants(x, q, guests.Items) }},
		{portal.ActionReadSpaces, &spaces, func() (searchGroup, error) { return findSpaces(x, q) }},
		{portal.ActionReadDevices, &devices, func() (searchGroup, error) { return findDevices(x) }},
		{portal.ActionReadStaff, &staff, func() (searchGroup, error) { return findStaff(x, q) }},
	} {
		if !x.can(find.action) {
			continue
		}
		var err error
		if *find.group, err = find.read(); err != nil {
			return err
		}
	}
	for _, group := range []searchGroup{grants, guests, spaces, devices, staff} {
		if len(group.Rows)+len(group.Items) > 0 || group.Stopped {
			out.Groups = append(out.Groups, group)
		}
	}
	exactFirst(out.Groups, func(g searchGroup) bool { return g.exact })
	return x.renderOK("search", "search", out)
}

// exactFirst moves the exact matches to the front.
func exactFirst[T any](results []T, exact func(T) bool) {
	rank := map[bool]int{true: 0, false: 1}
	slices.SortStableFunc(results, func(a, b T) int { return rank[exact(a)] - rank[exact(b)] })
}

// isExact reports whether the search text is one of the texts.
func isExact(search string, texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return strings.EqualFold(text, search) })
}

// newSearchGroup returns the results of one type. path is the list of that type.
func newSearchGroup[T data.Resource](x *exchange, name string, page portal.Page[T], path string, pairs ...string) searchGroup {
	out := searchGroup{Name: name, Stopped: page.Stopped}
	if page.Next != "" {
		out.All = x.link(path, append(pairs, searchParam, x.searchText())...)
	}
	return out
}

// findGrants returns the access grants that match a search. One whose key is the search text comes first, even if the list has
// it on a later page. If not everything was searched, the results include access grants of the guests that were found.
func findGrants(x *exchange, q data.Query, guests []searchItem) (searchGroup, error) {
	page, err := x.view.AccessGrants(x.ctx(), q)
	if err != nil {
		return searchGroup{}, err
	}
	out := newSearchGroup(x, x.text("nouns."+x.nouns().grant), page, pageGrants, "state", stateAll)
	exact := func(g data.AccessGrant) bool { return isExact(q.Text, g.Key, g.Name, g.PreferredCode) }
	if !slices.ContainsFunc(page.Items, exact) && page.Next != "" {
		byKey, err := x.view.AccessGrants(x.ctx(), data.Query{Keys: []string{q.Text}, Limit: 1})
		if err != nil {
			return out, err
		}
		for _, g := range byKey.Items {
			out.Rows, out.exact = append(out.Rows, x.newGrantRow(g, byKey.Related)), true
		}
	}
	exactFirst(page.Items, exact)
	for _, g := range page.Items {
		out.Rows, out.exact = append(out.Rows, x.newGrantRow(g, page.Related)), out.exact || exact(g)
	}
	for i := 0; page.Stopped && i < len(guests) && len(out.Rows) < searchLimit; i++ {
		of, err := x.view.AccessGrants(x.ctx(), data.Query{UserKey: guests[i].Ref.Key, From: x.h.db.Now(), Limit: searchLimit - len(out.Rows)})
		if err != nil {
			return out, err
		}
		for _, g := range of.Items {
			if !slices.ContainsFunc(out.Rows, func(row grantRow) bool { return row.Ref.Key == g.Key }) {
				out.Rows = append(out.Rows, x.newGrantRow(g, of.Related))
			}
		}
	}
	labelZones(out.Rows)
	return out, nil
}

func findGuests(x *exchange, q data.Query) (searchGroup, error) {
	q.ByName = true
	page, err := x.view.UserIdentities(x.ctx(), q)
	if err != nil {
		return searchGroup{}, err
	}
	out := newSearchGroup(x, x.text("nouns."+x.nouns().guest), page, pageGuests)
	out.addUsers(q.Text, page.Items)
	return out, nil
}

func findStaff(x *exchange, q data.Query) (searchGroup, error) {
	q.ByName = true
	page, err := x.view.StaffMembers(x.ctx(), q)
	if err != nil {
		return searchGroup{}, err
	}
	out := newSearchGroup(x, x.text("nouns.staff_member"), page, pageStaff)
	out.addUsers(q.Text, page.Items)
	return out, nil
}

// addUsers adds user identities to the results.
func (g *searchGroup) addUsers(search string, users []data.UserIdentity) {
	exact := func(u data.UserIdentity) bool {
		return isExact(search, u.Key, u.Name, u.EmailAddress, u.PhoneNumber)
	}
	exactFirst(users, exact)
	for _, u := range users {
		g.Items, g.exact = append(g.Items, searchItem{u.Ref(), u.Name, cmp.Or(u.EmailAddress, u.PhoneNumber)}), g.exact || exact(u)
	}
}

func findSpaces(x *exchange, q data.Query) (searchGroup, error) {
	q.ByName = true
	page, err := x.view.Spaces(x.ctx(), q)
	if err != nil {
		return searchGroup{}, err
	}
	out := newSearchGroup(x, x.text("nouns."+x.nouns().space), page, pageSpaces)
	exact := func(s data.Space) bool { return isExact(q.Text, s.Key, s.Name) }
	exactFirst(page.Items, exact)
	for _, s := range page.Items {
		detail := x.kindName(s.Kind)
		if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
			detail = site.Name
		}
		out.Items, out.exact = append(out.Items, searchItem{s.Ref(), s.Name, detail}), out.exact || exact(s)
	}
	return out, nil
}

// findDevices returns the devices that match a search by their names, or by those of their visible spaces and sites.
func findDevices(x *exchange) (searchGroup, error) {
	text := x.searchText()
	page, err := x.view.Devices(x.ctx(), portal.DeviceQuery{Text: text, Limit: searchLimit})
	if err != nil {
		return searchGroup{}, err
	}
	out := searchGroup{Name: x.text("nav.devices"), Stopped: page.Stopped}
	if page.Total > len(page.Items) {
		out.All = x.link(pageDevices, searchParam, text)
	}
	exact := func(d access.Device) bool { return isExact(text, d.Name) }
	exactFirst(page.Items, exact)
	for _, d := range page.Items {
		detail := ""
		if len(d.Mappings) > 0 {
			space, _ := page.Related.Space(d.Mappings[0].SpaceKey)
			detail = space.Name
		}
		out.Items = append(out.Items, searchItem{data.Ref{Kind: data.KindDevice, Key: d.ID.String()}, d.Name, detail})
		out.exact = out.exact || exact(d)
	}
	return out, nil
}
