package portal

import "slices"

// Action is an action of a session that a portal allows or refuses. Its values are stable.
type Action string

// The actions of a session.
const (
	ActionReadSpaces         Action = "read_spaces"
	ActionReadUserIdentities Action = "read_user_identities"
	ActionReadStaff          Action = "read_staff"
	ActionReadAccessGrants   Action = "read_access_grants"
	ActionReadDetails        Action = "read_details" // the codes, metadata and ids of access grants
	ActionReadHistory        Action = "read_history"

	ActionEditUserIdentity Action = "edit_user_identity"

	ActionCreateAccessGrant Action = "create_access_grant"
	ActionEditAccessGrant   Action = "edit_access_grant"
	ActionCancelAccessGrant Action = "cancel_access_grant"

	ActionAddStaff    Action = "add_staff"
	ActionEditStaff   Action = "edit_staff"
	ActionAssignStaff Action = "assign_staff"
	ActionRemoveStaff Action = "remove_staff"

	ActionCreateSpace Action = "create_space"
	ActionRenameSpace Action = "rename_space"
	ActionMoveSpace   Action = "move_space"
	ActionDeleteSpace Action = "delete_space"

	ActionReadDevices   Action = "read_devices"   // devices with their states and activities
	ActionControlDevice Action = "control_device" // locking, unlocking and the settings of thermostats

	ActionReadCodes  Action = "read_access_codes" // the states of access codes, without their PINs
	ActionReadPINs   Action = "read_pins"         // the PINs of access codes
	ActionReissuePIN Action = "reissue_pin"

	ActionShareStay Action = "share_stay" // creating a guest link

	ActionReadAccounts  Action = "read_accounts"  // connected accounts and the providers that can be connected
	ActionConnect       Action = "connect"        // connecting an account for the first time or again
	ActionDeleteAccount Action = "delete_account" // with its devices and their mappings
	ActionReadMappings  Action = "read_mappings"  // devices that are mapped to no space, and what else is to be mapped
	ActionMapDevices    Action = "map_devices"

	ActionReadStay    Action = "read_stay"     // the stay of a guest link, without the code
	ActionReadStayPIN Action = "read_stay_pin" // the code of that stay while it is valid
	ActionUnlockDoor  Action = "unlock_door"   // a door of that stay
	ActionReadRules   Action = "read_automation_rules"
	ActionSetRules    Action = "set_automation_rules"

	ActionConfigure Action = "configure" // the actions that the host offers in the configure section
)

// rule contains the conditions under which a portal allows an action.
type rule struct {
	action     Action
	enabled    func(Features) bool // reports whether the features allow it
	writes     bool                // a read-only portal does not allow it: it changes something, or reveals how a door can be opened
	restricted bool                // restricted navigation allows it
	deepLink   bool                // a deep link to a resource allows it
	deviceLink bool                // a deep link to a device allows it
	webview    bool                // a connect webview allows it
	guest      bool                // a guest link allows it, and no other portal
	devices    bool                // only a service with Options.Access allows it
	unfiltered bool                // a portal with filters does not allow it: it concerns the customer as a whole
}

var (
	connectEnabled   = func(f Features) bool { return !f.Connect.Exclude }
	organizeEnabled  = func(f Features) bool { return !f.Organize.Exclude }
	manageEnabled    = func(f Features) bool { return !f.Manage.Exclude }
	configureEnabled = func(f Features) bool { return !f.Configure.Exclude }
	spacesShown      = func(f Features) bool { return manageEnabled(f) || organizeEnabled(f) }
	grantsShown      = func(f Features) bool { return manageEnabled(f) && !f.Manage.ExcludeReservationManagement }
	staffShown       = func(f Features) bool { return manageEnabled(f) && !f.Manage.ExcludeStaffManagement }
	detailsShown     = func(f Features) bool { return grantsShown(f) && !f.Manage.ExcludeReservationTechnicalDetails }
	pinsShown        = func(f Features) bool { return manageEnabled(f) && !f.Manage.ExcludeReservationTechnicalDetails }
)

// rules is the table of permissions: the conditions of each action.
var rules = []rule{
	{action: ActionReadSpaces, enabled: spacesShown, restricted: true, deepLink: true},
	{action: ActionReadUserIdentities, enabled: manageEnabled, restricted: true, deepLink: true},
	{action: ActionReadStaff, enabled: staffShown, restricted: true},
	{action: ActionReadAccessGrants, enabled: grantsShown, restricted: true, deepLink: true},
	{action: ActionReadDetails, enabled: detailsShown, restricted: true, deepLink: true},
	{action: ActionReadHistory, enabled: detailsShown, restricted: true, deepLink: true},
	{action: ActionEditUserIdentity, enabled: manageEnabled, writes: true, restricted: true, deepLink: true},
	{action: ActionCreateAccessGrant, enabled: grantsShown, writes: true, restricted: true},
	{action: ActionEditAccessGrant, enabled: grantsShown, writes: true, restricted: true, deepLink: true},
	{action: ActionCancelAccessGrant, enabled: grantsShown, writes: true, restricted: true, deepLink: true},
	{action: ActionAddStaff, enabled: staffShown, writes: true, restricted: true},
	{action: ActionEditStaff, enabled: staffShown, writes: true, restricted: true},
	{action: ActionAssignStaff, enabled: staffShown, writes: true, restricted: true},
	{action: ActionRemoveStaff, enabled: staffShown, writes: true, restricted: true},
	{action: ActionCreateSpace, enabled: organizeEnabled, writes: true},
	{action: ActionRenameSpace, enabled: organizeEnabled, writes: true},
	{action: ActionMoveSpace, enabled: organizeEnabled, writes: true},
	{action: ActionDeleteSpace, enabled: organizeEnabled, writes: true},
	{action: ActionReadDevices, enabled: manageEnabled, restricted: true, deepLink: true, deviceLink: true, devices: true},
	{action: ActionControlDevice, enabled: manageEnabled, writes: true, restricted: true, deepLink: true, deviceLink: true, devices: true},
	{action: ActionReadCodes, enabled: manageEnabled, restricted: true, deepLink: true, devices: true},
	{action: ActionReadPINs, enabled: pinsShown, writes: true, restricted: true, deepLink: true, devices: true},
	{action: ActionReissuePIN, enabled: pinsShown, writes: true, restricted: true, deepLink: true, devices: true},
	{action: ActionShareStay, enabled: detailsShown, writes: true, restricted: true, deepLink: true, devices: true},
	{action: ActionReadAccounts, enabled: connectEnabled, unfiltered: true, devices: true},
	{action: ActionConnect, enabled: connectEnabled, writes: true, webview: true, unfiltered: true, devices: true},
	{action: ActionDeleteAccount, enabled: connectEnabled, writes: true, unfiltered: true, devices: true},
	{action: ActionReadMappings, enabled: organizeEnabled, unfiltered: true, devices: true},
	{action: ActionMapDevices, enabled: organizeEnabled, writes: true, unfiltered: true, devices: true},
	{action: ActionReadStay, enabled: grantsShown, restricted: true, guest: true, devices: true},
	{action: ActionReadStayPIN, enabled: detailsShown, writes: true, restricted: true, guest: true, devices: true},
	{action: ActionUnlockDoor, enabled: grantsShown, writes: true, restricted: true, guest: true, devices: true},
	{action: ActionReadRules, enabled: configureEnabled, unfiltered: true, devices: true},
	{action: ActionSetRules, enabled: configureEnabled, writes: true, unfiltered: true, devices: true},
	{action: ActionConfigure, enabled: configureEnabled, writes: true},
}

// permit returns a RefusedError if a portal with this configuration does not allow an action.
func (c *Config) permit(action Action) error {
	_, ofDevice := c.linkedDevice()
	for _, r := range rules {
		if r.action != action {
			continue
		}
		switch {
		case c.webview && !r.webview:
			return &RefusedError{action, refusedWebview}
		case c.guest != r.guest:
			return &RefusedError{action, refusedGuest}
		case !c.guest && c.isDeepLink() && !(r.deepLink && !ofDevice || r.deviceLink && ofDevice):
			return &RefusedError{action, refusedDeepLink}
		case c.navigation() == NavigationRestricted && !r.restricted:
			return &RefusedError{action, refusedRestricted}
		case !r.enabled(c.Features):
			return &RefusedError{action, refusedFeature}
		case r.writes && c.ReadOnly:
			return &RefusedError{action, refusedReadOnly}
		case r.unfiltered && len(c.Filters) > 0:
			return &RefusedError{action, refusedHidden}
		}
		return nil
	}
	return &RefusedError{action, refusedFeature}
}

// permit returns a RefusedError if the service has no devices and the action needs them, or if a portal with this configuration does
// not allow the action.
func (s *Service) permit(c *Config, action Action) error {
	if s.access == nil && slices.ContainsFunc(rules, func(r rule) bool { return r.action == action && r.devices }) {
		return &RefusedError{action, refusedFeature}
	}
	return c.permit(action)
}

// Can returns nil if the portal allows an action, and otherwise a [RefusedError]. It uses the configuration that the portal had
// when the session began or was found, so that a front end can decide which actions to offer. The methods of the session check
// the current configuration.
func (s *Session) Can(action Action) error { return s.service.permit(&s.portal.Config, action) }
