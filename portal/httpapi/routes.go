package httpapi

// fields is a JSON object of an answer.
type fields map[string]any

// route is an operation of the API.
type route struct {
	path    string
	methods []string
	summary string

	endpoint endpoint
	answer   func() map[string]schema // beside ok and warnings
	document bool                     // it serves the OpenAPI document, and nothing else
}

var (
	post       = []string{"POST"}
	getPost    = []string{"GET", "POST"}
	deletePost = []string{"DELETE", "POST"}
	patchPost  = []string{"PATCH", "POST"}
)

// routes is the table of the API: what the official SDKs know first, ours after it.
func routes() []route {
	return []route{
		{path: "/customers/create_portal", methods: post, endpoint: serve(createPortal), answer: createAnswer,
			summary: "Create a portal of a customer, pushing the customer's data in the same step"},
		{path: "/customers/push_data", methods: post, endpoint: serve(pushData), answer: pushAnswer,
			summary: "Create and update a customer's resources"},
		{path: "/customers/delete_data", methods: deletePost, endpoint: serve(deleteData), answer: deleteAnswer,
			summary: "Delete customers and resources, and what cannot stand without them"},
		{path: "/customers/reservations/create_deep_link", methods: post, endpoint: serve(createDeepLink), answer: deepLinkAnswer,
			summary: "Create a portal that shows one reservation"},
		{path: "/customers/open_portal", methods: post, endpoint: serve(openPortal), answer: openAnswer,
			summary: "Give the link of a customer's newest portal, or of a new one like it"},
		{path: "/seam/customer/v1/customers/open_portal", methods: post, endpoint: serve(openPortal), answer: openAnswer,
			summary: "Give the link of a customer's newest portal, or of a new one like it"},
		{path: "/seam/customer/v1/customers/list", methods: getPost, endpoint: serve(listCustomers), answer: customersAnswer,
			summary: "List the customers of the workspace"},
		{path: "/seam/customer/v1/portals/get", methods: getPost, endpoint: serve(getPortal), answer: portalAnswer,
			summary: "Read a portal and its configuration"},
		{path: "/seam/customer/v1/portals/update", methods: patchPost, endpoint: serve(updatePortal),
			summary: "Change the configuration of a portal: what is absent stays, null clears"},
		{path: "/seam/customer/v1/settings/get", methods: getPost, endpoint: serve(getSettings), answer: settingsAnswer,
			summary: "Read the settings of the workspace"},
		{path: "/seam/customer/v1/settings/update", methods: patchPost, endpoint: serve(updateSettings),
			summary: "Change the settings of the workspace: what is absent stays, null clears"},
		{path: "/seam/customer/v1/settings/vertical_resource_aliases/get", methods: getPost, endpoint: serve(getAliases), answer: aliasesAnswer,
			summary: "Say what the workspace's business vertical calls things"},
		{path: "/spaces/get", methods: getPost, endpoint: serve(getSpace), answer: one("space", spaceSchema),
			summary: "Read a space by its id or its key"},
		{path: "/spaces/list", methods: getPost, endpoint: serve(listSpaces), answer: pageOf("spaces", spaceSchema),
			summary: "List spaces"},
		{path: "/user_identities/get", methods: getPost, endpoint: serve(getUser), answer: one("user_identity", userSchema),
			summary: "Read a user identity by its id or its key"},
		{path: "/user_identities/list", methods: getPost, endpoint: serve(listUsers), answer: pageOf("user_identities", userSchema),
			summary: "List user identities"},
		{path: "/access_grants/get", methods: getPost, endpoint: serve(getGrant), answer: one("access_grant", grantSchema),
			summary: "Read an access grant by its id or its key"},
		{path: "/access_grants/list", methods: getPost, endpoint: serve(listGrants), answer: pageOf("access_grants", grantSchema),
			summary: "List access grants"},
		{path: "/workspaces/customization_profiles/create", methods: post, endpoint: serve(createProfile), answer: one("customization_profile", profileSchema),
			summary: "Create a customization profile"},
		{path: "/workspaces/customization_profiles/get", methods: getPost, endpoint: serve(getProfile), answer: one("customization_profile", profileSchema),
			summary: "Read a customization profile"},
		{path: "/workspaces/customization_profiles/list", methods: getPost, endpoint: serve(listProfiles), answer: profilesAnswer,
			summary: "List the customization profiles of the workspace"},
		{path: "/workspaces/customization_profiles/update", methods: patchPost, endpoint: serve(updateProfile),
			summary: "Change a customization profile: what is absent stays, null clears"},

		{path: "/workspaces/customization_profiles/delete", methods: deletePost, endpoint: serve(deleteProfile),
			summary: "Delete a customization profile"},
		{path: "/customers/sync_data", methods: post, endpoint: serve(syncData), answer: syncAnswer,
			summary: "Make a customer's resources exactly those that are given"},
		{path: "/customers/plan_delete", methods: getPost, endpoint: serve(planDelete), answer: planAnswer,
			summary: "Report what delete_data would do"},
		{path: "/customers/export_data", methods: getPost, endpoint: serve(exportData), answer: exportAnswer,
			summary: "Give a customer's data as the push_data that recreates it"},
		{path: "/customers/changes", methods: getPost, endpoint: serve(listChanges), answer: changesAnswer,
			summary: "Read the change feed from a cursor on"},
		{path: "/customers/portals/list", methods: getPost, endpoint: serve(listPortals), answer: portalsAnswer,
			summary: "List a customer's portals, the newest first"},
		{path: "/customers/portals/revoke", methods: post, endpoint: serve(revokePortal),
			summary: "Close a portal"},
		{path: "/customers/portals/revoke_all", methods: post, endpoint: serve(revokeAll), answer: revokeAllAnswer,
			summary: "Close every portal of a customer"},
		{path: "/openapi.json", methods: []string{"GET"}, document: true,
			summary: "Give this document"},
	}
}
