package web

import (
	"strings"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// peoplePage is a list of guests, or of the staff.
type peoplePage struct {
	Rows    []personRow
	Text    string
	Next    string
	Stopped bool // the page ended before all was searched; Next continues
	First   string
	Path    string
	CanAdd  bool
	CanUse  bool // a grant can be made for one
}

type personRow struct {
	data.UserIdentity
	Spaces []string
	More   int
}

func (v *visit) people(path string, read func(data.Query) (portal.Page[data.UserIdentity], error)) (peoplePage, error) {
	asked := v.r.URL.Query()
	out := peoplePage{Text: strings.TrimSpace(asked.Get("q")), Path: v.Link(path)}
	page, err := read(data.Query{Text: out.Text, Limit: pageLimit, Cursor: asked.Get("cursor")})
	if err != nil {
		return out, err
	}
	for _, u := range page.Items {
		row := personRow{UserIdentity: u}
		for i, ref := range u.Spaces {
			if i == shownSpaces {
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
		out.Next = v.Link(path, "q", out.Text, "cursor", page.Next)
	}
	if asked.Get("cursor") != "" {
		out.First = v.Link(path, "q", out.Text)
	}
	return out, nil
}

func showGuests(v *visit) error {
	out, err := v.people(pageGuests, func(q data.Query) (portal.Page[data.UserIdentity], error) {
		return v.view.UserIdentities(v.ctx(), q)
	})
	if err != nil {
		return err
	}
	out.CanUse = v.can(portal.ActionCreateAccessGrant)
	return v.show("guests", "nouns."+v.nouns().guest, out)
}

// guestPage is one guest, with what it has access to.
type guestPage struct {
	Guest          data.UserIdentity
	Rows           []grantRow
	Next           string
	Stopped        bool // the page ended before all was searched; Next continues
	CanUse, Grants bool
}

func showGuest(v *visit) error {
	u, _, err := v.view.UserIdentity(v.ctx(), v.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	out := guestPage{Guest: u, CanUse: v.can(portal.ActionCreateAccessGrant), Grants: v.can(portal.ActionReadAccessGrants)}
	if out.Grants {
		page, err := v.view.AccessGrants(v.ctx(), data.Query{UserKey: u.Key, Limit: pageLimit, Cursor: v.r.URL.Query().Get("cursor")})
		if err != nil {
			return err
		}
		out.Rows, out.Stopped = v.rows(page), page.Stopped
		if page.Next != "" {
			out.Next = v.Link(pageGuest, "key", u.Key, "cursor", page.Next)
		}
	}
	v.render(200, "guest", "person.title", out, "name", u.Name)
	return nil
}
