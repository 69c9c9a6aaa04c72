package portal

import (
	"github.com/customerportal-go/customerportal/data"
)

// Action is something that a session does, as a stable word.
type Action string

// The actions.
const (
	ActionReadSpaces         Action = "read_spaces"
	ActionReadUserIdentities Action = "read_user_identities"
	ActionReadStaff          Action = "read_staff"
	ActionReadAccessGrants   Action = "read_access_grants"
	ActionReadDetails        Action = "read_details" // codes, metadata and ids of access grants
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

	ActionConnect   Action = "connect"   // what a host offers in the connect section
	ActionConfigure Action = "configure" // and in the configure section
)

// rule is what an action takes.
type rule struct {
	action     Action
	enabled    func(Features) bool // the features that it needs
	writes     bool
	restricted bool // it is there in restricted navigation
	deepLink   bool // it is there in a deep link
}

var (
	connects      = func(f Features) bool { return !f.Connect.Exclude }
	organizes     = func(f Features) bool { return !f.Organize.Exclude }
	manages       = func(f Features) bool { return !f.Manage.Exclude }
	configures    = func(f Features) bool { return !f.Configure.Exclude }
	showsSpaces   = func(f Features) bool { return manages(f) || organizes(f) }
	managesGrants = func(f Features) bool { return manages(f) && !f.Manage.ExcludeReservationManagement }
	managesStaff  = func(f Features) bool { return manages(f) && !f.Manage.ExcludeStaffManagement }
	showsDetails  = func(f Features) bool { return managesGrants(f) && !f.Manage.ExcludeReservationTechnicalDetails }
)

// rules is the one table of who may do what.
var rules = []rule{
	{ActionReadSpaces, showsSpaces, false, true, true},
	{ActionReadUserIdentities, manages, false, true, true},
	{ActionReadStaff, managesStaff, false, true, false},
	{ActionReadAccessGrants, managesGrants, false, true, true},
	{ActionReadDetails, showsDetails, false, true, true},
	{ActionReadHistory, showsDetails, false, true, true},
	{ActionEditUserIdentity, manages, true, true, true},
	{ActionCreateAccessGrant, managesGrants, true, true, false},
	{ActionEditAccessGrant, managesGrants, true, true, true},
	{ActionCancelAccessGrant, managesGrants, true, true, true},
	{ActionAddStaff, managesStaff, true, true, false},
	{ActionEditStaff, managesStaff, true, true, false},
	{ActionAssignStaff, managesStaff, true, true, false},
	{ActionRemoveStaff, managesStaff, true, true, false},
	{ActionCreateSpace, organizes, true, false, false},
	{ActionRenameSpace, organizes, true, false, false},
	{ActionMoveSpace, organizes, true, false, false},
	{ActionDeleteSpace, organizes, true, false, false},
	{ActionConnect, connects, true, false, false},
	{ActionConfigure, configures, true, false, false},
}

// permit returns a RefusedError where a portal of that configuration does not allow
// an action.
func (c *Config) permit(action Action) error {
	for _, r := range rules {
		if r.action != action {
			continue
		}
		switch {
		case c.DeepLink != (data.Ref{}) && !r.deepLink:
			return &RefusedError{action, refusedDeepLink}
		case c.navigation() == NavigationRestricted && !r.restricted:
			return &RefusedError{action, refusedRestricted}
		case !r.enabled(c.Features):
			return &RefusedError{action, refusedFeature}
		case r.writes && c.ReadOnly:
			return &RefusedError{action, refusedReadOnly}
		}
		return nil
	}
	return &RefusedError{action, refusedFeature}
}

// Can says whether the portal allows an action, as its configuration was when the
// session began or was found: nil, or a [RefusedError]. It is for a front end to know
// what to offer; the session's own calls ask again.
func (s *Session) Can(action Action) error { return s.portal.Config.permit(action) }
