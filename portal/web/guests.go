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
}

type userRow struct {
	data.UserIdentity
	Spaces []string
	More   int
}

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
	return x.renderOK("guests", "nouns."+x.nouns().guest, out)
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
		now := x.h.db.Now()
		for _, part := range []struct {
			list  *grantList
			param string
			q     data.Query
		}{
			{&out.Open, cursorParam, data.Query{From: now}},
			{&out.Past, "past", data.Query{EndsUntil: now.Add(time.Microsecond), Descending: true}},
		} {
			page, err := readPage(x, part.param, func(cursor string) (portal.Page[data.AccessGrant], error) {
				part.q.UserKey, part.q.Limit, part.q.CountLimit, part.q.Cursor = u.Key, pageLimit, countLimit, cursor
				return x.view.AccessGrants(x.ctx(), part.q)
			})
			if err != nil {
				return err
			}
			part.list.Rows, part.list.pager = x.newGrantRows(page), newPager(x, page, part.param, pageGuest, "key", u.Key)
		}
	}
	x.render(200, "guest", "person.title", out, "name", u.Name)
	return nil
}
