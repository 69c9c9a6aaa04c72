package web

// showSearch serves the search box, which every page has. It redirects to the list of access grants with the same text.
func showSearch(x *exchange) error {
	return x.redirectTo(pageGrants, searchParam, x.searchText(), "state", stateAll)
}
