package web

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/wallclock"
	"github.com/customerportal-go/customerportal/portal"
)

const (
	outField  = "out"  // the key of the space that the guest leaves; "" if the guest has none
	outParam  = "out"  // the same, if the guest has several spaces and the visitor has chosen one
	findParam = "find" // the search text for spaces

	maxFree  = 60   // free spaces on the page
	maxTaken = 30   // other spaces on the page
	maxTried = 1000 // spaces that are read to find the free ones
)

// movePage is the content of the page that moves a guest to another space.
type movePage struct {
	Row         grantRow
	From        string // the name of the space that the guest leaves
	Leave       []rowAction
	Hidden      []hiddenInput
	IsKnown     bool // it is known which spaces are free
	Free, Taken []spaceOption
	More        bool
	Unsure      bool // there are so many access grants that a space may be taken although it is shown as free
	Find, Path  string
	Asked       []hiddenInput // the inputs of the search
	To          spaceOption   // the space with clashes
	Clashes     []clash
	Changed     bool
	Back        string

	grant   data.AccessGrant
	leaving data.Space
	choose  bool // the visitor must choose the space that the guest leaves
}

// loadMove returns the page that moves a guest who leaves the space with the key out, without the other spaces.
func (x *exchange) loadMove(out string) (*movePage, error) {
	if err := x.session.Can(portal.ActionEditAccessGrant); err != nil {
		return nil, err
	}
	g, related, err := x.view.AccessGrant(x.ctx(), x.r.URL.Query().Get("key"))
	if err != nil {
		return nil, err
	}
	p := &movePage{Row: x.newGrantRow(g, related), grant: g, IsKnown: !x.localizer.lasting && len(x.config().Filters) == 0, Find: strings.TrimSpace(x.r.URL.Query().Get(findParam))}
	path, pairs := x.stepBack(g.Key)
	p.Back = x.link(path, pairs...)
	from := x.r.URL.Query().Get(returnParam)
	p.Path = x.link(pageMoveGrant)
	p.Asked = []hiddenInput{{"key", g.Key}}
	if from != "" {
		p.Asked = append(p.Asked, hiddenInput{returnParam, from})
	}
	var held []data.Space
	for _, ref := range g.Spaces {
		if s, shown := related.Space(ref.Key); shown && isIdleKind(s) {
			held = append(held, s)
		}
	}
	if i := slices.IndexFunc(held, func(s data.Space) bool { return s.Key == out }); i >= 0 {
		p.leaving = held[i]
		if len(held) > 1 {
			p.Asked = append(p.Asked, hiddenInput{outParam, out})
		}
	} else if len(held) == 1 {
		p.leaving = held[0]
	} else if len(held) > 1 {
		p.choose = true
		for _, s := range held {
			p.Leave = append(p.Leave, rowAction{s.Name, x.link(pageMoveGrant, "key", g.Key, returnParam, from, outParam, s.Key)})
		}
	}
	p.From = p.leaving.Name
	p.Hidden = []hiddenInput{{shownField, fingerprint(joinRefKeys(g.Spaces))}, {outField, p.leaving.Key}}
	return p, nil
}

// windowIn returns the time for which the guest needs a space in a time zone. It is the whole stay if this has ended.
func (x *exchange) windowIn(p *movePage, zone *time.Location) (from, until time.Time) {
	edit := data.AccessGrant{}
	x.keepLocalTimes(&edit, p.grant, p.Row.zone, zone)
	from, until = p.grant.StartsAt, p.grant.EndsAt
	if !edit.StartsAt.IsZero() {
		from = edit.StartsAt
	}
	if !edit.EndsAt.IsZero() {
		until = edit.EndsAt
	}
	now := x.h.db.Now()
	if from.Before(now) && (until.IsZero() || now.Before(until)) {
		from = now
	}
	return from, until
}

// listTargets adds the spaces to which the guest can move, first those of the same site.
func (x *exchange) listTargets(p *movePage) error {
	if p.choose || !x.can(portal.ActionReadSpaces) {
		return nil
	}
	seen := map[string]bool{}
	for _, ref := range p.grant.Spaces {
		seen[ref.Key] = true
	}
	tried := 0
	search := x.newTakenSearch(p.grant.Key)
	list := func(q data.Query, most int) error {
		q.Kinds, q.ByName, q.Limit = idleKinds, true, maxSpaceKeys
		for {
			page, err := x.view.Spaces(x.ctx(), q)
			if err != nil {
				return err
			}
			tried += len(page.Items)
			taken, err := x.takenDuring(p, search, page)
			if err != nil {
				return err
			}
			for _, s := range page.Items {
				o := spaceOption{Key: s.Key, Name: s.Name, Kind: s.Kind}
				if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
					o.Site = site.Name
				}
				switch {
				case seen[s.Key]:
				case taken[s.Key] && len(p.Taken) < maxTaken:
					p.Taken = append(p.Taken, o)
				case !taken[s.Key] && len(p.Free) < most:
					p.Free = append(p.Free, o)
				default:
					p.More = true
					continue
				}
				seen[s.Key] = true
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				return nil
			}
			if len(p.Free) >= most || tried >= maxTried {
				p.More = true
				return nil
			}
		}
	}
	defer func() { p.Unsure = search.Stopped }()
	if p.leaving.ParentSiteKey != "" {
		if err := list(data.Query{ParentSiteKey: p.leaving.ParentSiteKey, Text: p.Find}, maxFree*2/3); err != nil {
			return err
		}
	}
	return list(data.Query{Text: p.Find}, maxFree)
}

// takenDuring returns the keys of the spaces to which somebody else has access while the guest would need them. The times depend on the
// time zones of the spaces.
func (x *exchange) takenDuring(p *movePage, search *takenSearch, page portal.Page[data.Space]) (map[string]bool, error) {
	out := map[string]bool{}
	if !p.IsKnown || !x.can(portal.ActionReadAccessGrants) {
		return out, nil
	}
	zoneOf := func(s data.Space) *time.Location { return x.zone(page.Related.Place(s.Ref())) }
	for _, spaces := range lo.PartitionBy(page.Items, func(s data.Space) string { return zoneOf(s).String() }) {
		from, until := x.windowIn(p, zoneOf(spaces[0]))
		taken, err := search.among(lo.Map(spaces, func(s data.Space, _ int) placed {
			site, _ := visibleSite(s, page.Related)
			return placed{s.Key, site}
		}), from, until)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, taken)
	}
	return out, nil
}

func (x *exchange) renderMove(status int, p *movePage) error {
	if len(p.Clashes) == 0 {
		if err := x.listTargets(p); err != nil {
			return err
		}
	}
	x.render(status, "move", "start.move", p)
	return nil
}

func showMove(x *exchange) error {
	p, err := x.loadMove(x.r.URL.Query().Get(outParam))
	if err != nil {
		return err
	}
	return x.renderMove(200, p)
}

func saveMove(x *exchange) error {
	var p *movePage
	var edit data.AccessGrant
	isDone := false
	compare := func() (err error) {
		posted := x.r.PostForm
		if p, err = x.loadMove(posted.Get(outField)); err != nil {
			return err
		}
		g := p.grant
		target, related, err := x.view.Space(x.ctx(), posted.Get(spaceInput))
		if err != nil {
			return err
		}
		has := func(key string) bool {
			return slices.ContainsFunc(g.Spaces, func(ref data.Ref) bool { return ref.Key == key })
		}
		if isDone = has(target.Key) && (posted.Get(outField) == "" || !has(posted.Get(outField)) || posted.Get(outField) == target.Key); isDone {
			p.To.Name = target.Name
			return nil
		}
		shown := posted.Get(shownField)
		if shown != "" && shown != fingerprint(joinRefKeys(g.Spaces)) || p.choose {
			p.Changed = shown != ""
			return x.renderMove(409, p)
		}
		p.To = spaceOption{Key: target.Key, Name: target.Name, Kind: target.Kind}
		zone := x.zone(related.Place(target.Ref()))
		if posted.Get(anywayField) == "" {
			from, until := x.windowIn(p, zone)
			if p.Clashes, err = x.overlapping([]data.Ref{target.Ref()}, from, until, g.Key); err != nil {
				return err
			}
			if len(p.Clashes) > 0 {
				return x.renderMove(409, p)
			}
		}
		edit = data.AccessGrant{Key: g.Key, Spaces: []data.Ref{target.Ref()}}
		for _, ref := range g.Spaces {
			if ref.Key != p.leaving.Key && ref.Key != target.Key {
				edit.Spaces = append(edit.Spaces, ref)
			}
		}
		x.keepLocalTimes(&edit, g, p.Row.zone, zone)
		return nil
	}
	return x.retryEdit(compare, func() error {
		path, pairs := x.stepBack(p.grant.Key)
		done := newNotice("done.moved_guest", "name", p.Row.Name, "space", p.To.Name)
		if isDone { // the form was posted twice
			return x.redirectWithNotice(done, path, pairs...)
		}
		after, err := x.session.EditAccessGrant(x.ctx(), edit, portal.WriteOptions{IfUnchanged: &p.grant.Meta})
		if err != nil {
			return err
		}
		return x.redirectWithUndo(done, undoOfEdit(p.Row.Name, p.grant, after), path, pairs...)
	})
}

// keepLocalTimes adds times to an edit that moves a guest to a space in another time zone, so that the guest arrives and leaves at
// the same local times. A stay that has begun keeps its start.
func (x *exchange) keepLocalTimes(edit *data.AccessGrant, g data.AccessGrant, from, to *time.Location) {
	if from.String() == to.String() {
		return
	}
	if g.StartsAt.After(x.h.db.Now()) {
		edit.StartsAt = wallclock.Instant(g.StartsAt.In(from), to)
	}
	if !g.EndsAt.IsZero() {
		edit.EndsAt = wallclock.Instant(g.EndsAt.In(from), to)
	}
}

// joinOr returns the names, or the other text if the list is empty.
func joinOr(names []string, otherwise string) string {
	if len(names) == 0 {
		return otherwise
	}
	return strings.Join(names, ", ")
}
