package httpapi

// codeRoutes returns the operations for access codes, access methods and automations. A handler without an [access.Service] does not
// serve them.
func codeRoutes() []route {
	return []route{
		{path: "/access_codes/create", methods: post, endpoint: newEndpoint(createCode), response: createCodeResponse,
			summary: "Create an access code of a lock, with an access grant of its own"},
		{path: "/access_codes/update", methods: patchPostPut, endpoint: newEndpoint(updateCode), response: attemptResponse,
			summary: "Change the PIN, the name and the times of an access code that access_codes/create created; null clears a time"},
		{path: "/access_codes/delete", methods: deletePost, endpoint: newEndpoint(deleteCode), response: attemptResponse,
			summary: "Delete an access code that access_codes/create created, and schedule its removal from the lock"},
		{path: "/access_codes/get", methods: getPost, endpoint: newEndpoint(getCode), response: single("access_code", codeRef),
			summary: "Get an access code by its id, or by its lock and its PIN"},
		{path: "/access_codes/list", methods: getPost, endpoint: newEndpoint(listCodes), response: page("access_codes", codeRef),
			summary: "List access codes by lock"},
		{path: "/access_codes/generate_code", methods: getPost, endpoint: newEndpoint(generateCode), response: generatedCodeResponse,
			summary: "Generate a PIN that a lock accepts"},
		{path: "/access_codes/unmanaged/get", methods: getPost, endpoint: newEndpoint(getUnmanaged), response: single("access_code", unmanagedRef),
			summary: "Get a code that is on a lock and that the library did not write, without its PIN"},
		{path: "/access_codes/unmanaged/list", methods: getPost, endpoint: newEndpoint(listUnmanaged), response: page("access_codes", unmanagedRef),
			summary: "List the codes on a lock that the library did not write, as the lock showed them last, without their PINs"},
		{path: "/access_methods/get", methods: getPost, endpoint: newEndpoint(getMethod), response: single(methodClass, methodRef),
			summary: "Get an access method: the PIN of an access grant on all its locks"},
		{path: "/access_methods/delete", methods: deletePost, endpoint: newEndpoint(deleteMethod),
			summary: "Take the PIN of an access grant away, and schedule the removal of its access codes; the grant remains"},
		{path: "/access_methods/list", methods: getPost, endpoint: newEndpoint(listMethods), response: page("access_methods", methodRef),
			summary: "List access methods; a page can have fewer than limit, also if others follow"},
		{path: "/seam/customer/v1/automations/get", methods: getPost, endpoint: newEndpoint(getAutomations), response: rulesResponse,
			summary: "Get the rules that are in force for a customer, or for the workspace without a customer_key"},
		{path: "/seam/customer/v1/automations/update", methods: patchPost, endpoint: newEndpoint(updateAutomations),
			summary: "Change rules of a customer, or of the workspace without a customer_key; null switches a rule off"},
		{path: "/seam/customer/v1/automations/delete", methods: deletePost, endpoint: newEndpoint(deleteAutomations),
			summary: "Delete the rules of a customer, or of the workspace without a customer_key, so that the defaults apply"},
		{path: "/seam/customer/v1/customers/automations/get", methods: getPost, endpoint: newEndpoint(getCustomerAutomations), response: customerRulesResponse,
			summary: "Get the rules that are in force for a customer"},
		{path: "/seam/customer/v1/customers/automations/update", methods: patchPost, endpoint: newEndpoint(updateCustomerAutomations),
			summary: "Change rules of a customer; null switches a rule off"},
		{path: "/seam/customer/v1/automation_runs/list", methods: getPost, endpoint: newEndpoint(listRuns), response: runsResponse,
			summary: "List the automatic changes of access codes and thermostats of a customer, the newest first"},
	}
}
