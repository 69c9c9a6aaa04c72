package web

import (
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// usersPage is the content of a list of guests or of staff members.
type usersPage struct {
	Rows           []userRow
	Text           string
	Next           string
	Stopped        bool // the search reached its limit; Next continues it
	First          string
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
	asked := x.r.URL.Query()
	out := usersPage{Text: strings.TrimSpace(asked.Get("q")), Path: x.link(path)}
	page, err := read(data.Query{Text: out.Text, Limit: pageLimit, Cursor: asked.Get("cursor")})
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
	if out.Stopped = page.Stopped; page.Next != "" {
		out.Next = x.link(path, "q", out.Text, "cursor", page.Next)
	}
	if asked.Get("cursor") != "" {
		out.First = x.link(path, "q", out.Text)
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
	Rows                   []grantRow
	Next                   string
	Stopped                bool // the search reached its limit; Next continues it
	CanCreateGrant, Grants bool
}

func showGuest(x *exchange) error {
	u, _, err := x.view.UserIdentity(x.ctx(), x.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	out := guestPage{Guest: u, CanCreateGrant: x.can(portal.ActionCreateAccessGrant), Grants: x.can(portal.ActionReadAccessGrants)}
	if out.Grants {
		page, err := x.view.AccessGrants(x.ctx(), data.Query{UserKey: u.Key, Limit: pageLimit, Cursor: x.r.URL.Query().Get("cursor")})
		if err != nil {
			return err
		}
		out.Rows, out.Stopped = x.newGrantRows(page), page.Stopped
		if page.Next != "" {
			out.Next = x.link(pageGuest, "key", u.Key, "cursor", page.Next)
		}
	}
	x.render(200, "guest", "person.title", out, "name", u.Name)
	return nil
}
