package web

import (
	"slices"
	"strings"

	"github.com/customerportal-go/customerportal/portal"
)

// navItem is an entry of the navigation.
type navItem struct {
	Name    string
	Path    string
	Current bool
}

// Nav returns the entries of the navigation. It is empty for a deep link.
func (d pageData) Nav() []navItem {
	if d.IsDeepLink() || d.x.session.IsWebview() {
		return nil
	}
	x := d.x
	var out []navItem
	for _, item := range []struct {
		section, path, name string
		visible             bool
	}{
		{sectionStart, pageStart, x.text("nav.start"), true},
		{sectionCalendar, pageCalendar, x.text("nav.calendar"), x.can(portal.ActionReadAccessGrants) && x.can(portal.ActionReadSpaces)},
		{sectionGrants, pageGrants, d.Grants(), x.can(portal.ActionReadAccessGrants)},
		{sectionGuests, pageGuests, d.Guests(), x.can(portal.ActionReadUserIdentities)},
		{sectionSpaces, pageSpaces, d.Spaces(), x.can(portal.ActionReadSpaces)},
		{sectionStaff, pageStaff, x.text("nouns.staff_member"), x.can(portal.ActionReadStaff)},
		{sectionDevices, pageDevices, x.text("nav.devices"), x.can(portal.ActionReadDevices)},
	} {
		if item.visible {
			out = append(out, navItem{item.name, x.link(item.path), x.section == item.section})
		}
	}
	if settings := d.Settings(); len(settings) > 0 {
		out = append(out, navItem{x.text("nav.settings"), settings[0].Path, slices.ContainsFunc(settings, func(item navItem) bool { return item.Current })})
	}
	return out
}

// Settings returns the pages of the settings that the portal has.
func (d pageData) Settings() (out []navItem) {
	x := d.x
	if x.can(portal.ActionReadAccounts) {
		out = append(out, navItem{x.text("nav.connect"), x.link(pageAccounts), x.section == sectionConnect})
	}
	if x.can(portal.ActionReadMappings) {
		out = append(out, navItem{x.text("nav.organize"), x.link(pageOrganize), x.section == sectionOrganize})
	}
	if x.hasAutomations() {
		out = append(out, navItem{x.text("nav.configure"), x.link(pageAutomations), x.section == sectionConfigure})
	}
	return out
}

// bottomNav is the navigation at the bottom of small screens.
type bottomNav struct {
	Items  []navItem
	More   []navItem // the entries behind the button "More"
	InMore bool      // one of More is the current page
}

// bottomItems is the number of entries of the navigation that fit on a phone.
const bottomItems = 5

// BottomNav returns the navigation at the bottom of small screens. It is nil for a deep link and for an embedded portal,
// whose frame can be higher than the screen.
func (d pageData) BottomNav() *bottomNav {
	items := d.Nav()
	if len(items) == 0 || d.Embedded() {
		return nil
	}
	out := &bottomNav{Items: items}
	if len(items) > bottomItems {
		out.Items, out.More = items[:bottomItems-1], items[bottomItems-1:]
	}
	for _, item := range out.More {
		out.InMore = out.InMore || item.Current
	}
	return out
}

// CanSearch reports whether the page has a search box.
func (d pageData) CanSearch() bool {
	x := d.x
	return !d.IsDeepLink() && (x.can(portal.ActionReadAccessGrants) || x.can(portal.ActionReadUserIdentities) || x.can(portal.ActionReadSpaces))
}

// SearchText returns the text in the search box.
func (d pageData) SearchText() string {
	if d.x.section != sectionSearch {
		return ""
	}
	return d.x.searchText()
}

// SearchLabel returns the label of the search box. It names what the search finds, in the words of the vertical.
func (d pageData) SearchLabel() string {
	if _, known := nounsByVertical[d.x.appearance.Vertical]; known {
		return d.T("search." + string(d.x.appearance.Vertical))
	}
	return d.T("search." + string(portal.VerticalNeutral))
}

// searchParam is the query parameter of the search box.
const searchParam = "q"

// searchText returns the text that the visitor searches for.
func (x *exchange) searchText() string { return strings.TrimSpace(x.r.URL.Query().Get(searchParam)) }
