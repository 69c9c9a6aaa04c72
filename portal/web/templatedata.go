package web

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// pageData is the dot of every template. A template can call its exported methods and read its exported fields, and
// reaches nothing else of the exchange.
type pageData struct {
	x     *exchange
	Name  string // of the template
	Title string
	Data  any // the content of the page
}

// Texts.

// T returns a text of the catalog.
func (d pageData) T(key string, pairs ...any) string { return d.x.text(key, pairs...) }

// N returns a text of the catalog in the plural form for n.
func (d pageData) N(key string, n int, pairs ...any) string {
	return d.x.localizer.count(key, n, pairs...)
}

// Number returns a number in the language of the page.
func (d pageData) Number(n int) string { return d.x.localizer.number(n) }

// Date returns a day with its weekday.
func (d pageData) Date(t time.Time) string { return d.x.localizer.date(t) }

// ShortDate returns a day without its weekday.
func (d pageData) ShortDate(t time.Time) string { return d.x.localizer.shortDate(t) }

// Clock returns a time of day.
func (d pageData) Clock(t time.Time) string { return d.x.localizer.clock(t) }

// Moment returns a day and a time of day.
func (d pageData) Moment(t time.Time) string { return d.x.localizer.dateTime(t) }

// Timestamp returns a time for the datetime attribute of an element.
func (d pageData) Timestamp(t time.Time) string { return data.FormatTime(t) }

// ZoneName returns the name of the time zone of a time.
func (d pageData) ZoneName(t time.Time) string { return t.Location().String() }

// Local returns a time in the time zone of the portal.
func (d pageData) Local(t time.Time) time.Time { return t.In(d.x.pageZone()) }

// Locale returns the locale of the page.
func (d pageData) Locale() string { return d.x.localizer.locale }

// Locales returns the locales that the visitor can choose from. It is empty if the portal does not offer a choice.
func (d pageData) Locales() []string {
	if d.x.config().ExcludeLocalePicker {
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
func (d pageData) LocaleName(locale string) string { return localeNames[locale] }

// Paths.

// Link returns the path of a page of the portal, with a query of pairs of names and values.
func (d pageData) Link(path string, pairs ...string) string { return d.x.link(path, pairs...) }

// ResourcePath returns the path of the page of a resource.
func (d pageData) ResourcePath(ref data.Ref) string { return d.x.resourcePath(ref) }

// Home returns the path of the portal's start page.
func (d pageData) Home() string { return d.x.home }

// Theme returns the path of the stylesheet with the portal's colours, or "" for the default colours.
func (d pageData) Theme() string {
	if d.Open() {
		return d.x.themePath()
	}
	return d.x.shutThemePath()
}

// Asset returns the path of an asset. It changes when the asset does.
func (d pageData) Asset(name string) string { return d.x.assetPath(name) }

// The portal.

// Open reports whether the page is one of an open portal. The other methods of this section need an open portal, except
// HasName, Brand and Embedded.
func (d pageData) Open() bool { return d.x.session != nil }

// Portal returns the open portal.
func (d pageData) Portal() portal.CustomerPortal { return d.x.session.Portal() }

// Appearance returns the appearance of the portal.
func (d pageData) Appearance() portal.Appearance { return d.x.appearance }

// Partner returns the name of the host's company, or "".
func (d pageData) Partner() string { return d.x.h.options.Partner }

// ColorScheme returns the colour schemes of the page, as in the CSS property: "light", "dark", or "light dark" for that of
// the visitor's device.
func (d pageData) ColorScheme() string { return d.x.colorScheme() }

// HasName reports whether the portal or its customer has a name.
func (d pageData) HasName() bool { return d.x.portalName() != "" }

// Brand returns the name of the portal, or a text that fits every portal.
func (d pageData) Brand() string { return cmp.Or(d.x.portalName(), d.T("brand")) }

// Initial returns the first letter or digit of a name. It stands in for a missing logo.
func (d pageData) Initial(name string) string { return initial(name) }

// Embedded reports whether the page is in a frame on a page of the host.
func (d pageData) Embedded() bool { return d.x.session != nil && d.x.config().IsEmbedded }

// IsDeepLink reports whether the portal shows a single resource or device and has no other pages.
func (d pageData) IsDeepLink() bool { return d.x.isDeepLink() }

// Can reports whether the portal allows an action.
func (d pageData) Can(action string) bool { return d.x.can(portal.Action(action)) }

// warnBefore is the time before the end of the portal from which pages warn of it.
const warnBefore = 10 * time.Minute

// timeLeft returns the time until the portal expires.
func (d pageData) timeLeft() time.Duration { return d.Portal().ExpiresAt.Sub(d.x.h.db.Now()) }

// TimeLeft returns the time until the portal expires, in words.
func (d pageData) TimeLeft() string {
	left := d.timeLeft()
	switch {
	case left >= 48*time.Hour:
		return d.N("left.days", int(left/(24*time.Hour)))
	case left >= 2*time.Hour:
		return d.N("left.hours", int(left/time.Hour))
	}
	return d.N("left.minutes", max(1, int(left/time.Minute)))
}

// SecondsLeft returns the number of seconds until the portal expires.
func (d pageData) SecondsLeft() int { return max(0, int(d.timeLeft()/time.Second)) }

// ClosesSoon reports whether the page warns that the portal is about to expire.
func (d pageData) ClosesSoon() bool { return d.timeLeft() <= warnBefore }

// WarnSeconds returns the number of seconds before the end from which the script warns.
func (d pageData) WarnSeconds() int { return int(warnBefore / time.Second) }

// ParentOrigins returns the origins of the host pages that the script notifies when the portal ends, separated by spaces. "*"
// is any origin, and "" means no origin.
func (d pageData) ParentOrigins() string {
	c := d.x.config()
	switch {
	case !c.IsEmbedded:
		return ""
	case len(c.FrameOrigins) == 0:
		return "*"
	}
	return strings.Join(c.FrameOrigins, " ")
}

// Notice returns a text that confirms the change made before a redirect to this page, or "" if there was none. It returns
// the text once.
func (d pageData) Notice() string { return d.x.takeNotice() }

// Undo returns the change that the page offers to undo, or nil. It must be called after Notice.
func (d pageData) Undo() *undoOffer { return d.x.undoOffer(d.Name) }

// Nouns of the vertical.

// Grant returns the singular noun for an access grant.
func (d pageData) Grant() string { return d.T("noun." + d.x.nouns().grant) }

// Grants returns the plural noun for access grants.
func (d pageData) Grants() string { return d.T("nouns." + d.x.nouns().grant) }

// NewGrant returns the label of the button that creates an access grant.
func (d pageData) NewGrant() string { return d.T("new." + d.x.nouns().grant) }

// Guest returns the singular noun for the user of an access grant.
func (d pageData) Guest() string { return d.T("noun." + d.x.nouns().guest) }

// Guests returns the plural noun for the users of access grants.
func (d pageData) Guests() string { return d.T("nouns." + d.x.nouns().guest) }

// Space returns the singular noun for spaces.
func (d pageData) Space() string { return d.T("noun." + d.x.nouns().space) }

// Spaces returns the plural noun for spaces.
func (d pageData) Spaces() string { return d.T("nouns." + d.x.nouns().space) }

// KindName returns the singular noun for a kind.
func (d pageData) KindName(kind data.Kind) string { return d.x.kindName(kind) }

// IsOther reports whether the vertical has another kind of space than this for what its customers book.
func (d pageData) IsOther(kind data.Kind) bool {
	return d.KindName(kind) != d.T("noun."+d.x.nouns().space)
}

// Sites returns the plural noun for sites.
func (d pageData) Sites() string { return d.x.kindsName(data.KindSite) }

// SiteKind returns the kind of sites.
func (d pageData) SiteKind() data.Kind { return data.KindSite }

// CanBeInSite reports whether a space can be in a site.
func (d pageData) CanBeInSite(s data.Space) bool { return canBeInSite(s.Kind) }

// StateName returns the name of a state in the filter of access grants.
func (d pageData) StateName(state string) string {
	switch state {
	case stateArriving:
		return d.T("start.arrivals")
	case stateDeparting:
		return d.T("start.departures")
	}
	return d.T("state." + state)
}

// Forms.

// IsPosted reports whether the request was a POST, so that a form on the page contains the posted values.
func (d pageData) IsPosted() bool { return d.x.r.Method == http.MethodPost }

// HasForm reports whether the page has a form that is posted when the visitor changes the language.
func (d pageData) HasForm() bool {
	_, has := d.Data.(hasForm)
	return has
}

// field is the content of the template of an input.
type field struct {
	Name, Label, Type, Value, Fault, Hint, Complete string
	Required, First                                 bool
}

// Field returns an input of a form. inputType is its type attribute. Options are "required=", "hint=KEY" with a key of the
// catalog, and "complete=VALUE" with the value of the autocomplete attribute.
func (d pageData) Field(page hasForm, name, labelKey, inputType string, options ...string) field {
	f := page.base()
	out := field{Name: name, Label: d.T(labelKey), Type: inputType, Value: f.Values[name], Fault: f.Faults[name], First: f.First(name)}
	for _, o := range options {
		switch key, value, _ := strings.Cut(o, "="); key {
		case "required":
			out.Required = true
		case "hint":
			out.Hint = d.T(value)
		case "complete":
			out.Complete = value
		}
	}
	return out
}

// fieldFault is a line of the summary of faults at the top of a form.
type fieldFault struct{ Name, Label, Text string }

// FieldFaults returns the faults of the fields of a form, in the order of the page.
func (d pageData) FieldFaults(page hasForm) (out []fieldFault) {
	f := page.base()
	for _, s := range f.fields {
		if text := f.Faults[s.name]; text != "" {
			out = append(out, fieldFault{s.name, s.labelText(d.x), text})
		}
	}
	return out
}
