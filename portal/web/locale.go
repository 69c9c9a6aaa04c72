package web

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/text/language"

	"github.com/customerportal-go/customerportal/portal"
)

// setAppearance sets the appearance and the language of the page.
func (x *exchange) setAppearance(look portal.Appearance) {
	x.appearance, x.localizer = look, x.h.newLocalizer(look.Locale, look.Messages)
	x.localizer.nouns = map[string]string{"column.spaces": "nouns." + x.nouns().space, "filter.space": "noun." + x.nouns().space}
	x.localizer.space = x.nouns().space
	x.localizer.lasting = look.Vertical != portal.VerticalHospitality && look.Vertical != portal.VerticalShortTermRental
}

// wantedLocale returns the locale that the visitor chose, or else the portal's own, or else the best match for the
// browser's languages. It returns "" if there is none of these.
func (x *exchange) wantedLocale(own string) string {
	if chosen := cmp.Or(x.chosenLocale, x.cookie(localeCookie)); slices.Contains(portal.Locales(), chosen) {
		return chosen
	}
	if own != "" {
		return own
	}
	asked, _, err := language.ParseAcceptLanguage(x.r.Header.Get("Accept-Language"))
	if err != nil {
		return ""
	}
	_, i, confidence := localeMatcher.Match(asked...)
	if confidence == language.No {
		return ""
	}
	return portal.Locales()[i]
}

// chooseLocale saves the locale that the visitor chose and redirects to the same page.
func (x *exchange) chooseLocale() {
	x.setLocale(x.r.PostForm.Get("set_locale"))
	x.redirect(x.r.URL.EscapedPath() + query(x.r.URL.Query()))
}

// setLocale saves the locale that the visitor chose, if the portal offers it.
func (x *exchange) setLocale(chosen string) {
	if slices.Contains(portal.Locales(), chosen) && !x.config().ExcludeLocalePicker {
		x.chosenLocale = chosen
		x.setCookie(localeCookie, chosen, x.h.db.Now().Add(365*24*time.Hour), x.config().IsEmbedded)
	}
}

// ensureLocalizer sets a localizer if there is none yet.
func (x *exchange) ensureLocalizer() {
	if x.localizer == nil {
		locale := x.wantedLocale("")
		if locale == "" {
			locale = portal.Locales()[0]
		}
		x.localizer = x.h.newLocalizer(locale, nil)
	}
}

// formPages are the pages with a form that keeps the typed values when the language changes.
var formPages = []string{
	pageNewGrant, pageEditGrant, pageExtendGrant, pageNewStaff, pageEditStaff, pageAssignStaff, pageNewSpace, pageRenameSpace, pageMoveSpace, pageAutomations,
	pageClimate, pageMapDevice,
}

// changeLocale changes the language of a page with a form. The form is then shown again.
func (x *exchange) changeLocale() error {
	x.setLocale(x.r.PostForm.Get(localeField))
	err := x.inView(func() error {
		look, err := x.view.Appearance(x.ctx(), x.wantedLocale(x.config().Locale))
		if err == nil {
			x.setAppearance(look)
		}
		return err
	})
	x.localeChanged = err == nil
	return err
}

// localeMatcher matches the languages of a browser with [portal.Locales], in the same order.
var localeMatcher = func() language.Matcher {
	var tags []language.Tag
	for _, locale := range portal.Locales() {
		tags = append(tags, language.MustParse(locale))
	}
	return language.NewMatcher(tags)
}()
