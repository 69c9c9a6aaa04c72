package web

import (
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// Paths of the pages of an open portal, relative to the portal's home. Keys of resources are in the query, because a key
// can be any text.
const (
	themePath = "theme.css"

	pageStart       = ""
	pageCalendar    = "calendar"
	pageGrants      = "reservations"
	pageGrant       = "reservations/view"
	pageNewGrant    = "reservations/new"
	pageEditGrant   = "reservations/edit"
	pageCancelGrant = "reservations/cancel"
	pageExtendGrant = "reservations/extend"
	pageMoveGrant   = "reservations/move"
	pageGrantCode   = "reservations/code"
	pageGuestLink   = "reservations/guestlink"
	pageGuests      = "guests"
	pageGuest       = "guests/view"
	pageStaff       = "staff"
	pageStaffMember = "staff/view"
	pageNewStaff    = "staff/new"
	pageEditStaff   = "staff/edit"
	pageAssignStaff = "staff/spaces"
	pageRemoveStaff = "staff/remove"
	pageStaffCode   = "staff/code"
	pageSpaces      = "spaces"
	pageSpace       = "spaces/view"
	pageNewSpace    = "spaces/new"
	pageRenameSpace = "spaces/rename"
	pageMoveSpace   = "spaces/move"
	pageDeleteSpace = "spaces/delete"
	pageDevices     = "devices"
	pageDevice      = "devices/view"
	pageCommand     = "devices/command"
	pageClimate     = "devices/climate"
	pageAccounts    = "connect"
	pageConnect     = "connect/start"
	pageConnectBack = "connect/back"
	pageConnectDone = "connect/done"
	pageCancel      = "connect/cancel"
	pageDisconnect  = "connect/remove"
	pageOrganize    = "organize"
	pageMapDevice   = "organize/device"
	pageAutomations = "configure"
	pageSearch      = "search"
	pageStay        = "stay"
	pageUnlock      = "stay/unlock"
	pageUndo        = "undo"
	pageEnd         = "end"
)

// Sections of the navigation.
const (
	sectionStart     = "start"
	sectionCalendar  = "calendar"
	sectionGrants    = "grants"
	sectionGuests    = "guests"
	sectionStaff     = "staff"
	sectionSpaces    = "spaces"
	sectionDevices   = "devices"
	sectionConnect   = "connect"
	sectionOrganize  = "organize"
	sectionConfigure = "configure"
	sectionSearch    = "search"
)

// pages returns all pages by path.
func pages() map[string]page {
	return map[string]page{
		pageStart:       {section: sectionStart, show: showToday},
		pageCalendar:    {section: sectionCalendar, show: showCalendar},
		pageGrants:      {section: sectionGrants, show: showGrants},
		pageGrant:       {section: sectionGrants, show: showGrant},
		pageNewGrant:    {section: sectionGrants, show: showNewGrant, save: saveNewGrant},
		pageEditGrant:   {section: sectionGrants, show: showEditGrant, save: saveEditGrant},
		pageCancelGrant: {section: sectionGrants, show: cancelGrant.show, save: cancelGrant.save},
		pageGrantCode:   {section: sectionGrants, show: reissueGrant.show, save: reissueGrant.save},
		pageGuestLink:   {section: sectionGrants, show: showGuestLink, save: saveGuestLink},
		pageExtendGrant: {section: sectionGrants, show: showExtend, save: saveExtend},
		pageMoveGrant:   {section: sectionGrants, show: showMove, save: saveMove},
		pageGuests:      {section: sectionGuests, show: showGuests},
		pageGuest:       {section: sectionGuests, show: showGuest},
		pageStaff:       {section: sectionStaff, show: showStaff},
		pageStaffMember: {section: sectionStaff, show: showStaffMember},
		pageNewStaff:    {section: sectionStaff, show: showNewStaff, save: saveNewStaff},
		pageEditStaff:   {section: sectionStaff, show: editStaff.show, save: editStaff.save},
		pageAssignStaff: {section: sectionStaff, show: assignStaff.show, save: assignStaff.save},
		pageRemoveStaff: {section: sectionStaff, show: removeStaff.show, save: removeStaff.save},
		pageStaffCode:   {section: sectionStaff, show: reissueStaff.show, save: reissueStaff.save},
		pageSpaces:      {section: sectionSpaces, show: showSpaces},
		pageSpace:       {section: sectionSpaces, show: showSpace},
		pageNewSpace:    {section: sectionSpaces, show: showNewSpace, save: saveNewSpace},
		pageRenameSpace: {section: sectionSpaces, show: renameSpace.show, save: renameSpace.save},
		pageMoveSpace:   {section: sectionSpaces, show: moveSpace.show, save: moveSpace.save},
		pageDeleteSpace: {section: sectionSpaces, show: deleteSpace.show, save: deleteSpace.save},
		pageDevices:     {section: sectionDevices, show: showDevices},
		pageDevice:      {section: sectionDevices, show: showDevice},
		pageCommand:     {section: sectionDevices, show: showCommand, save: saveCommand},
		pageClimate:     {section: sectionDevices, show: showClimate, save: saveClimate},
		pageAccounts:    {section: sectionConnect, show: showAccounts},
		pageConnect:     {section: sectionConnect, show: showConnect, save: saveConnect},
		pageConnectBack: {section: sectionConnect, show: showConnectBack, save: saveConnectBack},
		pageConnectDone: {section: sectionConnect, show: showConnectDone},
		pageCancel:      {section: sectionConnect, show: showAccounts, save: giveUp},
		pageDisconnect:  {section: sectionConnect, show: showDisconnect, save: saveDisconnect},
		pageOrganize:    {section: sectionOrganize, show: showOrganize, save: saveOrganize},
		pageMapDevice:   {section: sectionOrganize, show: showMapDevice, save: saveMapDevice},
		pageAutomations: {section: sectionConfigure, show: showAutomations, save: saveAutomations, callsHost: true, prepare: (*exchange).readRules},
		pageSearch:      {section: sectionSearch, show: showSearch},
		pageStay:        {show: showStay},
		pageUnlock:      {show: showUnlock, save: saveUnlock},
		pageUndo:        {show: showUndo, save: saveUndo},
		pageEnd:         {show: showEnd, save: end},
	}
}

// pageOf returns the path of the page that shows a resource or a device, or "" if it has no page.
func pageOf(ref data.Ref) string {
	switch {
	case ref.Kind.Class() == data.ClassSpace:
		return pageSpace
	case ref.Kind.Class() == data.ClassAccessGrant:
		return pageGrant
	case ref.Kind == data.KindDevice:
		return pageDevice
	case ref.Kind == data.KindStaffMember:
		return pageStaffMember
	case ref.Kind.Class() == data.ClassUserIdentity:
		return pageGuest
	}
	return ""
}

func (x *exchange) can(action portal.Action) bool { return x.session.Can(action) == nil }

// resourcePath returns the path of the page of a resource or a device, with its key.
func (x *exchange) resourcePath(ref data.Ref) string {
	if ref.Kind == data.KindDevice {
		return x.link(pageDevice, "id", ref.Key)
	}
	return x.link(pageOf(ref), "key", ref.Key)
}

// isDeepLink reports whether the portal shows a single resource or device and has no other pages.
func (x *exchange) isDeepLink() bool { return x.config().DeepLink != (data.Ref{}) }
