package httpapi

// route is an operation of the API.
type route struct {
	path    string
	methods []string
	summary string

	endpoint endpoint
	response func() map[string]schema // the members of the response besides ok and warnings; nil if there are none
	document bool                     // the route serves the OpenAPI document and has no endpoint

	unsupported *unsupportedOperation // set if the route answers 501; it then has only a path and methods
}

var (
	post       = []string{"POST"}
	getPost    = []string{"GET", "POST"}
	deletePost = []string{"DELETE", "POST"}
	patchPost  = []string{"PATCH", "POST"}

	patchPostPut = []string{"PATCH", "POST", "PUT"}
)

// routes returns the table of the API: first the operations that the official SDKs know, then the others.
func routes() []route {
	return []route{
		{path: "/customers/create_portal", methods: post, endpoint: newEndpoint(createPortal), response: createPortalResponse,
			summary: "Push a customer's data, if it is given, and create a portal for the customer"},
		{path: "/customers/push_data", methods: post, endpoint: newEndpoint(pushData), response: pushResponse,
			summary: "Create and update a customer's resources"},
		{path: "/customers/delete_data", methods: deletePost, endpoint: newEndpoint(deleteData), response: deleteResponse,
			summary: "Delete customers and resources, with the resources that depend on them"},
		{path: "/customers/reservations/create_deep_link", methods: post, endpoint: newEndpoint(createDeepLink), response: deepLinkResponse,
			summary: "Create a portal that opens at one reservation"},
		{path: "/customers/open_portal", methods: post, endpoint: newEndpoint(openPortal), response: openPortalResponse,
			summary: "Return the link of a customer's newest portal; if it has expired, create a new one like it"},
		{path: "/seam/customer/v1/customers/open_portal", methods: post, endpoint: newEndpoint(openPortal), response: openPortalResponse,
			summary: "Return the link of a customer's newest portal; if it has expired, create a new one like it"},
		{path: "/seam/customer/v1/customers/list", methods: getPost, endpoint: newEndpoint(listCustomers), response: customersResponse,
			summary: "List the customers of the workspace"},
		{path: "/seam/customer/v1/portals/get", methods: getPost, endpoint: newEndpoint(getPortal), response: portalResponse,
			summary: "Get a portal and its configuration"},
		{path: "/seam/customer/v1/portals/update", methods: patchPost, endpoint: newEndpoint(updatePortal),
			summary: "Update the configuration of a portal; absent members do not change, and null clears a member"},
		{path: "/seam/customer/v1/settings/get", methods: getPost, endpoint: newEndpoint(getSettings), response: settingsResponse,
			summary: "Get the settings of the workspace"},
		{path: "/seam/customer/v1/settings/update", methods: patchPost, endpoint: newEndpoint(updateSettings),
			summary: "Update the settings of the workspace; absent members do not change, and null clears a member"},
		{path: "/seam/customer/v1/settings/vertical_resource_aliases/get", methods: getPost, endpoint: newEndpoint(getAliases), response: aliasesResponse,
			summary: "Get the names that the workspace's business vertical has for resources"},
		{path: "/spaces/get", methods: getPost, endpoint: newEndpoint(getSpace), response: single("space", spaceSchema),
			summary: "Get a space by its id or its key"},
		{path: "/spaces/list", methods: getPost, endpoint: newEndpoint(listSpaces), response: page("spaces", spaceSchema),
			summary: "List spaces"},
		{path: "/spaces/create", methods: post, endpoint: newEndpoint(createSpace), response: single("space", spaceSchema),
			summary: "Create a space with its devices"},
		{path: "/spaces/update", methods: patchPost, endpoint: newEndpoint(updateSpace), response: single("space", spaceSchema),
			summary: "Update a space; absent members do not change, and null clears a member of customer_data"},
		{path: "/spaces/delete", methods: deletePost, endpoint: newEndpoint(deleteSpace), response: deleteResponse,
			summary: "Delete a space, with the resources that depend on it"},
		{path: "/user_identities/get", methods: getPost, endpoint: newEndpoint(getUserIdentity), response: single("user_identity", userIdentitySchema),
			summary: "Get a user identity by its id or its key"},
		{path: "/user_identities/list", methods: getPost, endpoint: newEndpoint(listUserIdentities), response: page("user_identities", userIdentitySchema),
			summary: "List user identities"},
		{path: "/access_grants/get", methods: getPost, endpoint: newEndpoint(getAccessGrant), response: single("access_grant", accessGrantSchema),
			summary: "Get an access grant by its id or its key"},
		{path: "/access_grants/list", methods: getPost, endpoint: newEndpoint(listAccessGrants), response: page("access_grants", accessGrantSchema),
			summary: "List access grants"},
		{path: "/access_grants/create", methods: post, endpoint: newEndpoint(createGrant), response: single("access_grant", accessGrantSchema),
			summary: "Create an access grant for spaces and devices"},
		{path: "/access_grants/update", methods: patchPost, endpoint: newEndpoint(updateGrant),
			summary: "Change the name and the times of an access grant; absent members do not change, and null clears a member"},
		{path: "/access_grants/delete", methods: deletePost, endpoint: newEndpoint(deleteGrant), response: deleteResponse,
			summary: "Delete an access grant, and schedule the removal of its access codes"},
		{path: "/events/get", methods: getPost, endpoint: newEndpoint(getEvent), response: single("event", eventSchema),
			summary: "Get an event by its id, or the newest event of a type or a device"},
		{path: "/events/list", methods: getPost, endpoint: newEndpoint(listEvents), response: page("events", eventSchema),
			summary: "List events of devices, access grants and spaces, the newest first"},
		{path: "/workspaces/customization_profiles/create", methods: post, endpoint: newEndpoint(createProfile), response: single("customization_profile", profileSchema),
			summary: "Create a customization profile"},
		{path: "/workspaces/customization_profiles/get", methods: getPost, endpoint: newEndpoint(getProfile), response: single("customization_profile", profileSchema),
			summary: "Get a customization profile"},
		{path: "/workspaces/customization_profiles/list", methods: getPost, endpoint: newEndpoint(listProfiles), response: profilesResponse,
			summary: "List the customization profiles of the workspace"},
		{path: "/workspaces/customization_profiles/update", methods: patchPost, endpoint: newEndpoint(updateProfile),
			summary: "Update a customization profile; absent members do not change, and null clears a member"},

		{path: "/workspaces/customization_profiles/delete", methods: deletePost, endpoint: newEndpoint(deleteProfile),
			summary: "Delete a customization profile"},
		{path: "/customers/sync_data", methods: post, endpoint: newEndpoint(syncData), response: syncResponse,
			summary: "Push a customer's data and delete the resources that it does not contain"},
		{path: "/customers/plan_delete", methods: getPost, endpoint: newEndpoint(planDelete), response: planResponse,
			summary: "Report the changes that delete_data would make"},
		{path: "/customers/export_data", methods: getPost, endpoint: newEndpoint(exportData), response: exportResponse,
			summary: "Export a customer's data as a body for push_data"},
		{path: "/customers/changes", methods: getPost, endpoint: newEndpoint(listChanges), response: changesResponse,
			summary: "Read the change feed after a cursor"},
		{path: "/customers/portals/list", methods: getPost, endpoint: newEndpoint(listPortals), response: portalsResponse,
			summary: "List a customer's portals, newest first"},
		{path: "/customers/portals/revoke", methods: post, endpoint: newEndpoint(revokePortal),
			summary: "Revoke a portal"},
		{path: "/customers/portals/revoke_all", methods: post, endpoint: newEndpoint(revokeAllPortals), response: revokeAllResponse,
			summary: "Revoke all portals of a customer"},
		{path: "/openapi.json", methods: []string{"GET"}, document: true,
			summary: "Get this document"},
	}
}
