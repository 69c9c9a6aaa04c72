package web

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// Paths of the pages of an open portal, each after its home. A key is in the query,
// since it can be any text.
const (
	themePath = "theme.css"

	pageStart       = ""
	pageGrants      = "reservations"
	pageGrant       = "reservations/view"
	pageNewGrant    = "reservations/new"
	pageEditGrant   = "reservations/edit"
	pageCancelGrant = "reservations/cancel"
	pageGuests      = "guests"
	pageGuest       = "guests/view"
	pageStaff       = "staff"
	pageStaffMember = "staff/view"
	pageNewStaff    = "staff/new"
	pageEditStaff   = "staff/edit"
	pageAssignStaff = "staff/spaces"
	pageRemoveStaff = "staff/remove"
	pageSpaces      = "spaces"
	pageSpace       = "spaces/view"
	pageNewSpace    = "spaces/new"
	pageRenameSpace = "spaces/rename"
	pageMoveSpace   = "spaces/move"
	pageDeleteSpace = "spaces/delete"
	pageAccounts    = "connect"
	pageConnect     = "connect/start"
	pageDisconnect  = "connect/remove"
	pageAutomations = "configure"
	pageEnd         = "end"
)

// Sections of the navigation.
const (
	sectionStart     = "start"
	sectionGrants    = "grants"
	sectionGuests    = "guests"
	sectionStaff     = "staff"
	sectionSpaces    = "spaces"
	sectionConnect   = "connect"
	sectionConfigure = "configure"
)

// pages is the table of pages.
func pages() map[string]page {
	return map[string]page{
		pageStart:       {section: sectionStart, show: showStart},
		pageGrants:      {section: sectionGrants, show: showGrants},
		pageGrant:       {section: sectionGrants, show: showGrant},
		pageNewGrant:    {section: sectionGrants, show: showNewGrant, save: saveNewGrant},
		pageEditGrant:   {section: sectionGrants, show: showEditGrant, save: saveEditGrant},
		pageCancelGrant: {section: sectionGrants, show: cancelGrant.show, save: cancelGrant.save},
		pageGuests:      {section: sectionGuests, show: showGuests},
		pageGuest:       {section: sectionGuests, show: showGuest},
		pageStaff:       {section: sectionStaff, show: showStaff},
		pageStaffMember: {section: sectionStaff, show: showStaffMember},
		pageNewStaff:    {section: sectionStaff, show: showNewStaff, save: saveNewStaff},
		pageEditStaff:   {section: sectionStaff, show: showEditStaff, save: saveEditStaff},
		pageAssignStaff: {section: sectionStaff, show: showAssignStaff, save: saveAssignStaff},
		pageRemoveStaff: {section: sectionStaff, show: removeStaff.show, save: removeStaff.save},
		pageSpaces:      {section: sectionSpaces, show: showSpaces},
		pageSpace:       {section: sectionSpaces, show: showSpace},
		pageNewSpace:    {section: sectionSpaces, show: showNewSpace, save: saveNewSpace},
		pageRenameSpace: {section: sectionSpaces, show: renameSpace.show, save: renameSpace.save},
		pageMoveSpace:   {section: sectionSpaces, show: moveSpace.show, save: moveSpace.save},
		pageDeleteSpace: {section: sectionSpaces, show: deleteSpace.show, save: deleteSpace.save},
		pageAccounts:    {section: sectionConnect, show: showAccounts, host: true},
		pageConnect:     {section: sectionConnect, show: showAccounts, save: saveConnect, host: true},
		pageDisconnect:  {section: sectionConnect, show: showDisconnect, save: saveDisconnect, host: true},
		pageAutomations: {section: sectionConfigure, show: showAutomations, save: saveAutomations, host: true},
		pageEnd:         {show: showEnd, save: end},
	}
}

// pageOf is the page of a resource; empty for one that has none.
func pageOf(ref data.Ref) string {
	switch {
	case ref.Kind.Class() == data.ClassSpace:
		return pageSpace
	case ref.Kind.Class() == data.ClassAccessGrant:
		return pageGrant
	case ref.Kind == data.KindStaffMember:
		return pageStaffMember
	case ref.Kind.Class() == data.ClassUserIdentity:
		return pageGuest
	}
	return ""
}

// Of is the path of the page of a resource.
func (v *visit) Of(ref data.Ref) string { return v.Link(pageOf(ref), "key", ref.Key) }

// tab is an entry of the navigation.
type tab struct {
	Name    string
	Path    string
	Current bool
}

// Nav is the navigation: what the portal shows, and nothing for a single resource.
func (v *visit) Nav() []tab {
	c := v.config()
	if c.DeepLink != (data.Ref{}) {
		return nil
	}
	nouns := v.nouns()
	var out []tab
	for _, t := range []struct {
		section, path, name string
		shown               bool
	}{
		{sectionStart, pageStart, v.T("nav.start"), true},
		{sectionGrants, pageGrants, nouns.grants(v), v.can(portal.ActionReadAccessGrants)},
		{sectionGuests, pageGuests, nouns.guests(v), v.can(portal.ActionReadUserIdentities)},
		{sectionStaff, pageStaff, v.T("nouns.staff_member"), v.can(portal.ActionReadStaff)},
		{sectionSpaces, pageSpaces, nouns.spaces(v), v.can(portal.ActionReadSpaces)},
		{sectionConnect, pageAccounts, v.T("nav.connect"), v.h.o.Accounts != nil && v.can(portal.ActionConnect)},
		{sectionConfigure, pageAutomations, v.T("nav.configure"), v.h.o.Automations != nil && v.can(portal.ActionConfigure)},
	} {
		if t.shown {
			out = append(out, tab{t.name, v.Link(t.path), v.section == t.section})
		}
	}
	return out
}

func (v *visit) can(action portal.Action) bool { return v.session.Can(action) == nil }
