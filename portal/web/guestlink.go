package web

import (
	"errors"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// guestLinkPage is the content of the page with the guest link of an access grant.
type guestLinkPage struct {
	Row   grantRow
	URL   string // "" if there is no link yet
	Fault string // the reason for which there can be none
	Back  string
}

// sharesStay reports whether a guest link of an access grant can be created.
func (x *exchange) sharesStay(row grantRow) bool {
	return x.can(portal.ActionShareStay) && x.guestLinkFault(row) == ""
}

// guestLinkFault returns the reason for which an access grant can have no guest link, or "".
func (x *exchange) guestLinkFault(row grantRow) string {
	switch {
	case row.Ends.IsZero():
		return x.text("guestlink.endless")
	case row.State == stateEnded:
		return x.text("guestlink.ended")
	}
	return ""
}

func showGuestLink(x *exchange) error {
	if err := x.session.Can(portal.ActionShareStay); err != nil {
		return err
	}
	g, related, err := x.view.AccessGrant(x.ctx(), x.r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	link, err := x.view.GuestLink(x.ctx(), g.Key)
	if err != nil {
		return err
	}
	row := x.newGrantRow(g, related)
	page := guestLinkPage{Row: row, URL: link.URL.Reveal(), Fault: x.guestLinkFault(row), Back: x.link(pageGrant, "key", g.Key)}
	return x.renderOK("guestlink", "guestlink.open", page)
}

// saveGuestLink creates the link unless it exists. The page to which it redirects shows the link, or the reason for which there can be none.
func saveGuestLink(x *exchange) error {
	key := x.r.URL.Query().Get("key")
	_, err := x.session.ShareStay(x.ctx(), key)
	if err != nil && !errors.Is(err, validation.ErrInvalid) {
		return err
	}
	return x.redirectTo(pageGuestLink, "key", key)
}
