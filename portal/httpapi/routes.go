package httpapi

import (
	"context"
	"net/url"
)

// fields is a JSON object of an answer.
type fields map[string]any

// route is an operation of the API.
type route struct {
	path    string
	methods []string
	summary string

	params  []param // of the query of a GET or DELETE, or of the body
	options []param // of the query of a POST, beside its body
	body    *format // of a body that is read by itself, rather than as params

	answer   func() map[string]schema // beside ok and warnings
	serve    func(context.Context, *call) (fields, error)
	document bool // it serves the OpenAPI document, and nothing else
}

// format is a body of a format of its own.
type format struct {
	schema func() schema
	large  bool // it brings data, and may have Options.MaxBodyBytes

	read  func(context.Context, *call) error                         // leaves what it reads in c.params
	query func(ctx context.Context, c *call, query url.Values) error // the same of a query, if the route takes one
}

// parsed is where a format leaves what it read.
const parsed = "(body)"

var (
	post       = []string{"POST"}
	getPost    = []string{"GET", "POST"}
	deletePost = []string{"DELETE", "POST"}
	patchPost  = []string{"PATCH", "POST"}
)

// Parameters that several routes have.
var (
	customerKey  = param{"customer_key", aKey, true}
	ofCustomer   = param{"customer_key", aKey, false}
	portalID     = param{"customer_portal_id", anID, true}
	profileID    = param{"customization_profile_id", anID, true}
	pageLimit    = param{"limit", aLimit, false}
	pageCursor   = param{"page_cursor", aCursor, false}
	searchText   = param{"search", aText, false}
	dryRun       = param{"dry_run", aFlag, false}
	strictOption = param{"strict", aFlag, false}
)

// routes is the table of the API: what the official SDKs know first, ours after it.
func routes() []route {
	return []route{
		{path: "/customers/create_portal", methods: post, body: portalFormat, answer: createAnswer, serve: createPortal,
			summary: "Create a portal of a customer, pushing the customer's data in the same step"},
		{path: "/customers/push_data", methods: post, body: dataFormat, options: pushOptions, answer: pushAnswer, serve: pushData,
			summary: "Create and update a customer's resources"},
		{path: "/customers/delete_data", methods: deletePost, body: selectionFormat, answer: deleteAnswer, serve: deleteData,
			summary: "Delete customers and resources, and what cannot stand without them"},
		{path: "/customers/reservations/create_deep_link", methods: post, params: []param{customerKey, {"reservation_key", aKey, true}}, answer: deepLinkAnswer, serve: createDeepLink,
			summary: "Create a portal that shows one reservation"},
		{path: "/customers/open_portal", methods: post, params: []param{customerKey}, answer: openAnswer, serve: openPortal,
			summary: "Give the link of a customer's newest portal, or of a new one like it"},
		{path: "/seam/customer/v1/customers/open_portal", methods: post, params: []param{customerKey}, answer: openAnswer, serve: openPortal,
			summary: "Give the link of a customer's newest portal, or of a new one like it"},
		{path: "/seam/customer/v1/customers/list", methods: getPost, params: []param{searchText, pageLimit, pageCursor}, answer: customersAnswer, serve: listCustomers,
			summary: "List the customers of the workspace"},
		{path: "/seam/customer/v1/portals/get", methods: getPost, params: []param{portalID}, answer: portalAnswer, serve: getPortal,
			summary: "Read a portal and its configuration"},
		{path: "/seam/customer/v1/portals/update", methods: patchPost, body: updateFormat, serve: updatePortal,
			summary: "Change the configuration of a portal: what is absent stays, null clears"},
		{path: "/seam/customer/v1/settings/get", methods: getPost, answer: settingsAnswer, serve: getSettings,
			summary: "Read the settings of the workspace"},
		{path: "/seam/customer/v1/settings/update", methods: patchPost, body: settingsFormat, serve: updateSettings,
			summary: "Change the settings of the workspace: what is absent stays, null clears"},
		{path: "/seam/customer/v1/settings/vertical_resource_aliases/get", methods: getPost, answer: aliasesAnswer, serve: getAliases,
			summary: "Say what the workspace's business vertical calls things"},
		{path: "/spaces/get", methods: getPost, params: []param{{"space_id", anID, false}, {"space_key", aKey, false}}, answer: one("space", spaceSchema), serve: getSpace,
			summary: "Read a space by its id or its key"},
		{path: "/spaces/list", methods: getPost, answer: pageOf("spaces", spaceSchema), serve: listSpaces,
			params: []param{ofCustomer, searchText, {"connected_account_id", anID, false}, {"space_key", aKey, false},
				{"parent_space_id", anID, false}, {"parent_space_key", aKey, false}, pageLimit, pageCursor},
			summary: "List spaces"},
		{path: "/user_identities/get", methods: getPost, params: []param{{"user_identity_id", anID, false}, {"user_identity_key", aKey, false}}, answer: one("user_identity", userSchema), serve: getUser,
			summary: "Read a user identity by its id or its key"},
		{path: "/user_identities/list", methods: getPost, answer: pageOf("user_identities", userSchema), serve: listUsers,
			params: []param{ofCustomer, {"user_identity_ids", someIDs, false}, searchText, {"credential_manager_acs_system_id", anID, false},
				{"created_before", aTime, false}, pageLimit, pageCursor},
			summary: "List user identities"},
		{path: "/access_grants/get", methods: getPost, params: []param{{"access_grant_id", anID, false}, {"access_grant_key", aKey, false}}, answer: one("access_grant", grantSchema), serve: getGrant,
			summary: "Read an access grant by its id or its key"},
		{path: "/access_grants/list", methods: getPost, answer: pageOf("access_grants", grantSchema), serve: listGrants,
			params: []param{ofCustomer, {"access_grant_ids", someIDs, false}, {"user_identity_id", anID, false}, {"space_id", anID, false},
				{"access_grant_key", aKey, false}, {"reservation_key", aKey, false}, {"acs_system_id", anID, false}, {"acs_entrance_id", anID, false},
				{"device_id", anID, false}, {"location_id", anID, false}, {"access_code_id", anID, false}, pageLimit, pageCursor},
			summary: "List access grants"},
		{path: "/workspaces/customization_profiles/create", methods: post, body: newProfileFormat, answer: one("customization_profile", profileSchema), serve: createProfile,
			summary: "Create a customization profile"},
		{path: "/workspaces/customization_profiles/get", methods: getPost, params: []param{profileID}, answer: one("customization_profile", profileSchema), serve: getProfile,
			summary: "Read a customization profile"},
		{path: "/workspaces/customization_profiles/list", methods: getPost, params: []param{ofCustomer}, answer: profilesAnswer, serve: listProfiles,
			summary: "List the customization profiles of the workspace"},
		{path: "/workspaces/customization_profiles/update", methods: patchPost, body: profileFormat, serve: updateProfile,
			summary: "Change a customization profile: what is absent stays, null clears"},

		{path: "/workspaces/customization_profiles/delete", methods: deletePost, params: []param{profileID}, serve: deleteProfile,
			summary: "Delete a customization profile"},
		{path: "/customers/sync_data", methods: post, body: dataFormat, options: syncOptions, answer: syncAnswer, serve: syncData,
			summary: "Make a customer's resources exactly those that are given"},
		{path: "/customers/plan_delete", methods: getPost, body: selectionFormat, answer: planAnswer, serve: planDelete,
			summary: "Report what delete_data would do"},
		{path: "/customers/export_data", methods: getPost, params: []param{customerKey}, answer: exportAnswer, serve: exportData,
			summary: "Give a customer's data as the push_data that recreates it"},
		{path: "/customers/changes", methods: getPost, params: []param{pageLimit, pageCursor}, answer: changesAnswer, serve: listChanges,
			summary: "Read the change feed from a cursor on"},
		{path: "/customers/portals/list", methods: getPost, params: []param{customerKey, pageLimit, pageCursor}, answer: portalsAnswer, serve: listPortals,
			summary: "List a customer's portals, the newest first"},
		{path: "/customers/portals/revoke", methods: post, params: []param{portalID}, serve: revokePortal,
			summary: "Close a portal"},
		{path: "/customers/portals/revoke_all", methods: post, params: []param{customerKey}, answer: revokeAllAnswer, serve: revokeAll,
			summary: "Close every portal of a customer"},
		{path: "/openapi.json", methods: []string{"GET"}, document: true,
			summary: "Give this document"},
	}
}
