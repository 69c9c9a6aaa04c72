package web

import (
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// usersPage is the content of a list of guests or of staff members.
type usersPage struct {
	pager
	Rows           []userRow
	Text           string
	Path           string
	CanAdd         bool
	CanCreateGrant bool // the portal allows access grants to be created
	Grants         bool // the rows have access grants
}

type userRow struct {
	data.UserIdentity
	Spaces []string
	More   int
	Times  *staffTimes // nil for a guest, and for a staff member without a limit to show

	// The access grants of a guest.
	Next      *grantRow // the current one, or else the next one; nil if there is none
	Last      *grantRow // the one that ended last; nil if there is none
	NextOther int       // the number of further ones that have not ended, at most grantsOfGuest
}

// grantsOfGuest is the number up to which the list of guests counts the access grants of each guest.
const grantsOfGuest = 10

func (x *exchange) loadUsers(path string, read func(data.Query) (portal.Page[data.UserIdentity], error)) (usersPage, error) {
	out := usersPage{Text: x.searchText(), Path: x.link(path)}
	down := x.descending()
	page, err := readPage(x, cursorParam, func(cursor string) (portal.Page[data.UserIdentity], error) {
		return read(data.Query{Text: out.Text, ByName: true, Descending: down, Limit: pageLimit, CountLimit: countLimit, Cursor: cursor})
	})
	if err != nil {
		return out, err
	}
	for _, u := range page.Items {
		row := userRow{UserIdentity: u}
		for i, ref := range u.Spaces {
			if i == maxRowSpaces {
				row.More = len(u.Spaces) - i
				break
			}
			if s, shown := page.Related.Space(ref.Key); shown {
				row.Spaces = append(row.Spaces, s.Name)
			}
		}
		out.Rows = append(out.Rows, row)
	}
	out.pager = newPager(x, page, cursorParam, path, searchParam, out.Text, orderParam, order(down))
	if len(out.Rows) > 1 {
		out.reversible(x, down, path, searchParam, out.Text)
	}
	return out, nil
}

func showGuests(x *exchange) error {
	out, err := x.loadUsers(pageGuests, func(q data.Query) (portal.Page[data.UserIdentity], error) {
		return x.view.UserIdentities(x.ctx(), q)
	})
	if err != nil {
		return err
	}
	out.CanCreateGrant = x.can(portal.ActionCreateAccessGrant)
	if out.Grants = x.can(portal.ActionReadAccessGrants); out.Grants {
		for i := range out.Rows {
			if err := x.addGrants(&out.Rows[i]); err != nil {
				return err
			}
		}
	}
	return x.renderOK("guests", "nouns."+x.nouns().guest, out)
}

// openGrants and endedGrants select the access grants of a guest that have not ended, the next one first, and those that have
// ended, the latest one first.
func (x *exchange) openGrants(userKey string) data.Query {
	return data.Query{UserKey: userKey, From: x.h.db.Now()}
}

func (x *exchange) endedGrants(userKey string) data.Query {
	return data.Query{UserKey: userKey, EndsUntil: x.h.db.Now().Add(time.Microsecond), Descending: true}
}

// addGrants adds the current or next access grant of a guest and the last one that has ended.
func (x *exchange) addGrants(row *userRow) error {
	q := x.openGrants(row.Key)
	q.Limit, q.CountLimit = 1, grantsOfGuest
	open, err := x.view.AccessGrants(x.ctx(), q)
	if err != nil {
		return err
	}
	q = x.endedGrants(row.Key)
	q.Limit = 1
	ended, err := x.view.AccessGrants(x.ctx(), q)
	if err != nil {
		return err
	}
	for _, g := range x.newGrantRows(open) {
		row.Next, row.NextOther = &g, max(0, open.Total-1)
	}
	for _, g := range x.newGrantRows(ended) {
		row.Last = &g
	}
	return nil
}

// guestPage is the content of the page of a guest.
type guestPage struct {
	Guest                  data.UserIdentity
	Open, Past             grantList
	CanCreateGrant, Grants bool
}

// grantList is a list of access grants below a heading.
type grantList struct {
	pager
	Rows []grantRow
}

// showGuest shows a guest with the access grants that have not ended, the next one first, and with those that have ended, the
// latest one first.
func showGuest(x *exchange) error {
	u, _, err := x.view.UserIdentity(x.ctx(), x.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	out := guestPage{Guest: u, CanCreateGrant: x.can(portal.ActionCreateAccessGrant), Grants: x.can(portal.ActionReadAccessGrants)}
	if out.Grants {
		for _, part := range []struct {
			list  *grantList
			param string
			q     data.Query
		}{
			{&out.Open, cursorParam, x.openGrants(u.Key)},
			{&out.Past, "past", x.endedGrants(u.Key)},
		} {
			page, err := readPage(x, part.param, func(cursor string) (portal.Page[data.AccessGrant], error) {
				part.q.Limit, part.q.CountLimit, part.q.Cursor = pageLimit, countLimit, cursor
				return x.view.AccessGrants(x.ctx(), part.q)
			})
			if err != nil {
				return err
			}
			part.list.Rows, part.list.pager = x.newGrantRows(page), newPager(x, page, part.param, pageGuest, "key", u.Key)
		}
	}
	if err := x.addCodes(pointers(out.Open.Rows)); err != nil {
		return err
	}
	x.render(200, "guest", "person.title", out, "name", u.Name)
	return nil
}
