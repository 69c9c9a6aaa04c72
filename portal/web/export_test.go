package web

// PagePaths returns the paths of all pages of an open portal, each after its home.
func PagePaths() (paths []string) {
	for path := range pages() {
		paths = append(paths, path)
	}
	return append(paths, themePath)
}
