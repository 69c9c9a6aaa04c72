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
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

const contentType = "text/html; charset=utf-8"

// views are the parsed pages.
type views struct {
	pages   map[string]*template.Template
	version string // of the assets
}

// loadViews parses every page with the layout and the parts that pages share.
func loadViews() (*views, error) {
	shared, err := template.New("").Funcs(template.FuncMap{"args": args, "bdi": isolated, "plain": isolatedPlain, "tel": phoneLink, "mailto": mailLink}).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	out := &views{pages: map[string]*template.Template{}}
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

// args is a map of pairs of names and values, for a template that takes several.
func args(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("web: %v is not a name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// screen is what a template is given.
type screen struct {
	*visit
	Name  string // of the template
	Title string
	Data  any
}

// render writes a page. titlePairs are the names and values of the texts of people that
// the title has. The page is made whole before it is sent, so that an error is told as one.
func (v *visit) render(status int, name, titleKey string, content any, titlePairs ...any) {
	var b bytes.Buffer
	for i := 1; i < len(titlePairs); i += 2 {
		titlePairs[i] = isolatedPlain(titlePairs[i])
	}
	s := screen{v, name, v.speech.text(titleKey, titlePairs...), content}
	if err := v.h.views.pages[name].ExecuteTemplate(&b, "layout", s); err != nil {
		v.h.db.Logger().ErrorContext(v.ctx(), "a page could not be made", "page", name, "error", err)
		v.respond(http.StatusInternalServerError, "", nil)
		return
	}
	v.respond(status, contentType, b.Bytes())
}

// show renders a page of the open portal.
func (v *visit) show(name, titleKey string, content any) error {
	v.render(http.StatusOK, name, titleKey, content)
	return nil
}

// asset serves a file that every visitor gets.
func (v *visit) asset(name string) {
	b, err := assetFiles.ReadFile("assets/" + name)
	if err != nil || v.r.Method == http.MethodPost {
		v.notFound()
		return
	}
	v.respond(http.StatusOK, mime.TypeByExtension(path.Ext(name)), b)
}

// The methods from here on are called by templates.

// T is a text of the catalog.
func (v *visit) T(key string, pairs ...any) string { return v.speech.text(key, pairs...) }

// N is a text that goes with a number.
func (v *visit) N(key string, n int, pairs ...any) string { return v.speech.count(key, n, pairs...) }

// Number writes a number.
func (v *visit) Number(n int) string { return v.speech.number(n) }

// Asset is the path of an asset.
func (v *visit) Asset(name string) string {
	return v.h.prefix + "assets/" + name + "?v=" + v.h.views.version
}

// Locale is the language of the page.
func (v *visit) Locale() string { return v.speech.locale }

// Open reports whether the page is of an open portal.
func (v *visit) Open() bool { return v.session != nil }

// Portal is the portal that is open.
func (v *visit) Portal() portal.CustomerPortal { return v.session.Portal() }

// Named reports whether there is a name to call the portal by.
func (v *visit) Named() bool { return v.name() != "" }

// Brand is the title of the portal: its name, or words that fit any portal.
func (v *visit) Brand() string { return cmp.Or(v.name(), v.T("brand")) }

// name is the name of the portal, or "". Once its session is over that is the customer's
// name only.
func (v *visit) name() string { return cmp.Or(v.look.Name, v.customer) }

// Look is how the portal looks.
func (v *visit) Look() portal.Appearance { return v.look }

// Done is what was done before the page was shown; empty is nothing.
func (v *visit) Done() string {
	if key, known := doneTexts[v.r.URL.Query().Get(doneParam)]; known {
		return v.T(key)
	}
	return ""
}

// Can reports whether the portal allows an action.
func (v *visit) Can(action string) bool { return v.session.Can(portal.Action(action)) == nil }

// Theme is the path of the portal's own colours.
func (v *visit) Theme() string { return v.home + themePath }

// Date writes a day, in the zone that the time has.
func (v *visit) Date(t time.Time) string { return v.speech.date(t) }

// ShortDate is Date without the weekday.
func (v *visit) ShortDate(t time.Time) string { return v.speech.shortDate(t) }

// Clock writes a time of day.
func (v *visit) Clock(t time.Time) string { return v.speech.clock(t) }

// Moment writes a day and a time of day.
func (v *visit) Moment(t time.Time) string {
	return v.T("moment", "date", v.speech.date(t), "time", v.speech.clock(t))
}

// Machine writes a time for a machine.
func (v *visit) Machine(t time.Time) string { return data.FormatTime(t) }

// Left is how long the portal is open still, in words.
func (v *visit) Left() string {
	left := v.Portal().ExpiresAt.Sub(v.h.db.Now())
	switch {
	case left >= 48*time.Hour:
		return v.N("left.days", int(left/(24*time.Hour)))
	case left >= 2*time.Hour:
		return v.N("left.hours", int(left/time.Hour))
	}
	return v.N("left.minutes", max(1, int(left/time.Minute)))
}

// Soon reports whether the portal is about to close.
func (v *visit) Soon() bool { return v.Portal().ExpiresAt.Sub(v.h.db.Now()) <= soon }

// soon is when a visitor is warned.
const soon = 10 * time.Minute

// SoonSeconds is the same for the script.
func (v *visit) SoonSeconds() int { return int(soon / time.Second) }

// SecondsLeft is how long the portal is open still.
func (v *visit) SecondsLeft() int {
	return max(0, int(v.Portal().ExpiresAt.Sub(v.h.db.Now())/time.Second))
}

// Origins returns the origins that the script tells when the portal ends; "*" is any origin.
func (v *visit) Origins() string {
	c := v.config()
	switch {
	case !c.IsEmbedded:
		return ""
	case len(c.FrameOrigins) == 0:
		return "*"
	}
	return strings.Join(c.FrameOrigins, " ")
}

// Locales are the languages to choose from; none where there is no choice.
func (v *visit) Locales() []string {
	if v.config().ExcludeLocalePicker {
		return nil
	}
	return portal.Locales()
}

// localeNames are the names of the languages, each in its own language.
var localeNames = map[string]string{
	"en-US": "English", "pt-PT": "Português", "fr-FR": "Français", "it-IT": "Italiano", "es-ES": "Español",
	"de-DE": "Deutsch", "nl-NL": "Nederlands", "el-GR": "Ελληνικά", "pl-PL": "Polski", "ru-RU": "Русский",
}

// LocaleName returns the name of a language in that language.
func (v *visit) LocaleName(locale string) string { return localeNames[locale] }

// Visit returns the visit, for methods that take one.
func (s screen) Visit() *visit { return s.visit }

// Posted reports whether the page answers a form that was sent, and so shows what was typed.
func (s screen) Posted() bool { return s.r.Method == http.MethodPost }

// HasForm reports whether the page has a form that the change of its language sends along.
func (s screen) HasForm() bool {
	_, has := s.Data.(interface{ self() *form })
	return has
}

// Embedded reports whether the portal is in a host's page.
func (v *visit) Embedded() bool { return v.session != nil && v.config().IsEmbedded }

// Single reports whether the portal shows one resource and has no other pages.
func (v *visit) Single() bool { return v.config().DeepLink != (data.Ref{}) }

// Home is the path of the portal's start page.
func (v *visit) Home() string { return v.home }

// Initial returns the first letter or digit of a name, for a portal that has no logo.
func (v *visit) Initial(name string) string { return initial(name) }

// SiteKind is the kind of what other spaces lie in.
func (v *visit) SiteKind() data.Kind { return data.KindSite }
