package web

// PagePaths returns the paths of all pages of an open portal, relative to its home.
func PagePaths() (paths []string) {
	for path := range pages() {
		paths = append(paths, path)
	}
	return append(paths, themePath)
}
