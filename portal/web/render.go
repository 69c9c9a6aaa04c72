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

// templateSet contains the parsed template of each page, and the assets.
type templateSet struct {
	pages      map[string]*template.Template
	assets     map[string][]byte // by name
	compressed map[assetEncoding][]byte
	version    string // a hash of the assets
}

// assetEncoding is the key of a compressed asset.
type assetEncoding struct{ name, encoding string }

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
	return out, out.loadAssets()
}

// loadAssets reads and compresses the assets.
func (t *templateSet) loadAssets() error {
	t.assets, t.compressed = map[string][]byte{}, map[assetEncoding][]byte{}
	files, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return fmt.Errorf("web: assets: %w", err)
	}
	sum := sha256.New()
	for _, file := range files {
		name := file.Name()
		b, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			return fmt.Errorf("web: assets: %w", err)
		}
		t.assets[name] = b
		for _, encoding := range []string{encodingZstd, encodingGzip} {
			if t.compressed[assetEncoding{name, encoding}], err = compress(b, encoding); err != nil {
				return fmt.Errorf("web: assets: %w", err)
			}
		}
		sum.Write(b)
	}
	t.version = hex.EncodeToString(sum.Sum(nil)[:6])
	return nil
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

// immutable is the Cache-Control of a response whose path changes when its content does.
const immutable = "max-age=31536000, immutable"

// serveAsset serves a static file. The path is the version of the assets and a name. Browsers store the file only if the
// version is that of this handler: while a new version of the program is rolled out, a page of one version may load the
// assets of the other.
func (x *exchange) serveAsset(versioned string) {
	version, name, _ := strings.Cut(versioned, "/")
	b := x.h.templates.assets[name]
	theme := shutThemeCSS(name)
	if theme != nil {
		b = theme
	}
	if b == nil || x.r.Method == http.MethodPost {
		x.notFound()
		return
	}
	if version == x.h.templates.version {
		x.w.Header().Set("Cache-Control", "public, "+immutable)
	}
	if theme == nil {
		x.asset = name
	}
	x.respond(http.StatusOK, assetTypes[path.Ext(name)], b)
}

// assetPath returns the path of an asset. It changes when the asset does.
func (x *exchange) assetPath(name string) string {
	return x.h.prefix + "assets/" + x.h.templates.version + "/" + name
}

// assetTypes are the media types of the assets. The tables of package mime depend on the machine.
var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// text returns a text of the catalog.
func (x *exchange) text(key string, pairs ...any) string { return x.localizer.text(key, pairs...) }

// portalName returns the name of the portal, or "" if it has none. After the end of a session, only the name of the
// customer is known.
func (x *exchange) portalName() string { return cmp.Or(x.appearance.Name, x.customerName) }
