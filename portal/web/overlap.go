package web

import (
	"slices"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal"
)

// clash is an access grant of somebody else that overlaps.
type clash struct {
	Row   grantRow
	Space string
}

const (
	maxClashes   = 5   // that a page shows
	maxSpaceKeys = 100 // the greatest number of keys in data.Query.SpaceKeys

	// The access grants that a page reads, a few hundred at once, to find out which spaces and which whole sites are taken.
	takenLimit     = 500
	takenMost      = 2000
	takenSitesMost = 1000
)

// overlapping returns access grants to any of these spaces that are valid in a window of time, except the one with the given key. An
// access grant that takes a site as a whole overlaps with those to the spaces in it. overlapping returns none in a vertical in which
// several persons share a space, and ignores spaces that guests share.
func (x *exchange) overlapping(spaces []data.Ref, from, until time.Time, except string) ([]clash, error) {
	if x.localizer.lasting {
		return nil, nil
	}
	var keys []string
	for _, ref := range spaces {
		if slices.Contains(idleKinds, ref.Kind) && len(keys) < maxSpaceKeys {
			keys = append(keys, ref.Key)
		}
	}
	var out []clash
	add := func(g data.AccessGrant, related portal.Related, names ...string) {
		if g.Key == except || len(out) == maxClashes || slices.ContainsFunc(out, func(c clash) bool { return c.Row.Ref.Key == g.Key }) {
			return
		}
		c := clash{Row: x.newGrantRow(g, related)}
		for _, ref := range g.Spaces {
			if s, shown := related.Space(ref.Key); shown && (names == nil || slices.Contains(names, ref.Key)) {
				c.Space = s.Name
				break
			}
		}
		out = append(out, c)
	}
	query := data.Query{From: from, Until: until, Limit: maxClashes + 1}
	if len(keys) > 0 {
		q := query
		q.SpaceKeys = keys
		page, err := x.view.AccessGrants(x.ctx(), q)
		if err != nil {
			return nil, err
		}
		for _, g := range page.Items {
			add(g, page.Related, keys...)
		}
	}
	for _, ref := range spaces {
		if ref.Kind != data.KindSite || !portaldata.TakesSite(data.AccessGrant{Spaces: spaces}, ref.Key) {
			continue
		}
		q := query
		q.SpaceKey = ref.Key
		page, err := x.view.AccessGrants(x.ctx(), q)
		if err != nil {
			return nil, err
		}
		for _, g := range page.Items {
			add(g, page.Related)
		}
	}
	if len(keys) == 0 || len(out) == maxClashes || !x.can(portal.ActionReadSpaces) {
		return out, nil
	}
	rooms, err := x.view.Spaces(x.ctx(), data.Query{Keys: keys, Limit: maxSpaceKeys})
	if err != nil {
		return nil, err
	}
	search := x.newTakenSearch(except)
	err = search.wholeSites(sitesOf(rooms), from, until, func(site string, g data.AccessGrant, related portal.Related) { add(g, related, site) })
	return out, err
}

// sitesOf returns the keys of the visible sites of spaces.
func sitesOf(page portal.Page[data.Space]) []string {
	return lo.Uniq(lo.FilterMap(page.Items, func(s data.Space, _ int) (string, bool) { return visibleSite(s, page.Related) }))
}

// visibleSite returns the key of the site of a space, and reports whether the portal shows the site. related has the site.
func visibleSite(s data.Space, related portal.Related) (string, bool) {
	site, shown := related.Space(s.ParentSiteKey)
	return site.Key, shown && s.ParentSiteKey != ""
}

// takenSearch finds out which spaces somebody has in a time. It reads at most about 2,000 access grants to the spaces, and 1,000 to
// their sites. If there are more, it does not find all spaces, and sets Stopped.
type takenSearch struct {
	Stopped bool

	x         *exchange
	except    string // the key of an access grant that does not count
	left      int    // access grants that may still be read
	sitesLeft int
	taken     map[spaceWindow]bool // the spaces, and the sites that are taken as a whole, about which the search has asked
}

// spaceWindow is a space or a site, and a time.
type spaceWindow struct {
	key         string
	from, until int64 // in microseconds
}

func (x *exchange) newTakenSearch(except string) *takenSearch {
	return &takenSearch{x: x, except: except, left: takenMost, sitesLeft: takenSitesMost, taken: map[spaceWindow]bool{}}
}

// read calls fn with the access grants of a query, until it has read as many as are left.
func (t *takenSearch) read(q data.Query, left *int, fn func(data.AccessGrant, portal.Related)) error {
	for q.Limit = takenLimit; ; {
		if *left <= 0 {
			t.Stopped = true
			return nil
		}
		page, err := t.x.view.AccessGrants(t.x.ctx(), q)
		if err != nil {
			return err
		}
		*left -= max(1, len(page.Items))
		for _, g := range page.Items {
			if g.Key != t.except {
				fn(g, page.Related)
			}
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return nil
		}
	}
}

// wholeSites calls fn with the access grants that take one of these sites as a whole.
func (t *takenSearch) wholeSites(sites []string, from, until time.Time, fn func(site string, g data.AccessGrant, related portal.Related)) error {
	for chunk := range slices.Chunk(sites, maxSpaceKeys) {
		err := t.read(data.Query{SpaceKeys: chunk, From: from, Until: until}, &t.sitesLeft, func(g data.AccessGrant, related portal.Related) {
			for _, site := range chunk {
				if portaldata.TakesSite(g, site) {
					fn(site, g, related)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// placed is a space with its site.
type placed struct {
	key, site string // site is "" if the portal does not show it
}

// among returns the keys of those of the spaces that somebody has in a time.
func (t *takenSearch) among(spaces []placed, from, until time.Time) (map[string]bool, error) {
	window := func(key string) spaceWindow { return spaceWindow{key, from.UnixMicro(), until.UnixMicro()} }
	var keys, sites []string
	ask := func(key string, list *[]string) {
		if _, asked := t.taken[window(key)]; key != "" && !asked {
			*list = append(*list, key)
			t.taken[window(key)] = false
		}
	}
	for _, s := range spaces {
		ask(s.key, &keys)
		ask(s.site, &sites)
	}
	for chunk := range slices.Chunk(keys, maxSpaceKeys) {
		err := t.read(data.Query{SpaceKeys: chunk, From: from, Until: until}, &t.left, func(g data.AccessGrant, _ portal.Related) {
			for _, ref := range g.Spaces {
				if ref.Kind != data.KindSite {
					t.taken[window(ref.Key)] = true
				}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	err := t.wholeSites(sites, from, until, func(site string, _ data.AccessGrant, _ portal.Related) { t.taken[window(site)] = true })
	out := map[string]bool{}
	for _, s := range spaces {
		out[s.key] = t.taken[window(s.key)] || t.taken[window(s.site)]
	}
	return out, err
}
