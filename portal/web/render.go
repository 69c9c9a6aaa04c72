package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

const contentType = "text/html; charset=utf-8"

// templateSet contains the parsed template of each page.
type templateSet struct {
	pages   map[string]*template.Template
	version string // a hash of the assets
}

// loadTemplates returns the templates, which all handlers of a process share.
var loadTemplates = sync.OnceValues(parseTemplates)

// parseTemplates parses every page together with the layout and the shared parts.
func parseTemplates() (*templateSet, error) {
	shared, err := template.New("").Funcs(template.FuncMap{"args": args, "bdi": isolatedHTML, "plain": isolatedPlain, "tel": phoneLink, "mailto": mailLink}).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	out := &templateSet{pages: map[string]*template.Template{}}
	for _, name := range names {
		t, err := shared.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("web: templates: %w", err)
		}
		out.pages[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	sum := sha256.New()
	for _, name := range []string{"portal.css", "portal.js"} {
		b, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("web: assets: %w", err)
		}
		sum.Write(b)
	}
	out.version = hex.EncodeToString(sum.Sum(nil)[:6])
	return out, nil
}

// args returns a map of pairs of names and values. Templates use it to pass several values to another template.
func args(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("web: args: %v is not a string", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// render responds with a page. titlePairs are names and values for the text of the title; the values are isolated, see
// isolatedPlain. The page is rendered completely before it is sent, so that an error of a template becomes an error
// page.
func (x *exchange) render(status int, name, titleKey string, content any, titlePairs ...any) {
	var b bytes.Buffer
	for i := 1; i < len(titlePairs); i += 2 {
		titlePairs[i] = isolatedPlain(titlePairs[i])
	}
	d := pageData{x, name, x.text(titleKey, titlePairs...), content}
	if err := x.h.templates.pages[name].ExecuteTemplate(&b, "layout", d); err != nil {
		x.h.db.Logger().ErrorContext(x.ctx(), "rendering a page failed", "page", name, "error", err)
		x.respond(http.StatusInternalServerError, "", nil)
		return
	}
	x.respond(status, contentType, b.Bytes())
}

// renderOK responds with a page and status 200. It returns nil.
func (x *exchange) renderOK(name, titleKey string, content any) error {
	x.render(http.StatusOK, name, titleKey, content)
	return nil
}

// serveAsset serves a static file.
func (x *exchange) serveAsset(name string) {
	b, err := assetFiles.ReadFile("assets/" + name)
	if err != nil || x.r.Method == http.MethodPost {
		x.notFound()
		return
	}
	x.respond(http.StatusOK, mime.TypeByExtension(path.Ext(name)), b)
}

// text returns a text of the catalog.
func (x *exchange) text(key string, pairs ...any) string { return x.localizer.text(key, pairs...) }

// portalName returns the name of the portal, or "" if it has none. After the end of a session, only the name of the
// customer is known.
func (x *exchange) portalName() string { return cmp.Or(x.appearance.Name, x.customerName) }
