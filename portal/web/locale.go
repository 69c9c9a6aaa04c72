package web

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/text/language"

	"github.com/customerportal-go/customerportal/portal"
)

// setLook sets how the page looks and speaks.
func (v *visit) setLook(look portal.Appearance) {
	v.look, v.speech = look, v.h.speech(look.Locale, look.Messages)
	v.speech.lasting = look.Vertical != portal.VerticalHospitality && look.Vertical != portal.VerticalShortTermRental
}

// wantedLocale is what the visitor chose, or else the portal's own, or what the browser
// asks for.
func (v *visit) wantedLocale(own string) string {
	if chosen := cmp.Or(v.chosenLocale, v.cookie(localeCookie)); slices.Contains(portal.Locales(), chosen) {
		return chosen
	}
	if own != "" {
		return own
	}
	asked, _, err := language.ParseAcceptLanguage(v.r.Header.Get("Accept-Language"))
	if err != nil {
		return ""
	}
	_, i, confidence := localeMatcher.Match(asked...)
	if confidence == language.No {
		return ""
	}
	return portal.Locales()[i]
}

// chooseLocale keeps the locale that the visitor chose, and comes back to the page.
func (v *visit) chooseLocale() {
	v.keepLocale(v.r.PostForm.Get("set_locale"))
	v.redirect(v.r.URL.EscapedPath() + query(v.r.URL.Query()))
}

// keepLocale keeps the locale that the visitor chose, if the portal offers it.
func (v *visit) keepLocale(chosen string) {
	if slices.Contains(portal.Locales(), chosen) && !v.config().ExcludeLocalePicker {
		v.chosenLocale = chosen
		v.setCookie(localeCookie, chosen, v.h.db.Now().Add(365*24*time.Hour), v.config().IsEmbedded)
	}
}

// speak makes sure that the page has a language.
func (v *visit) speak() {
	if v.speech == nil {
		locale := v.wantedLocale("")
		if locale == "" {
			locale = portal.Locales()[0]
		}
		v.speech = v.h.speech(locale, nil)
	}
}

// formPages are the pages with a form that keeps what was typed when the language changes.
var formPages = []string{
	pageNewGrant, pageEditGrant, pageNewStaff, pageEditStaff, pageAssignStaff, pageNewSpace, pageRenameSpace, pageMoveSpace, pageAutomations,
}

// relocale changes the language of a page with a form, which is then shown again.
func (v *visit) relocale() error {
	v.keepLocale(v.r.PostForm.Get(localeField))
	err := v.read(func() error {
		look, err := v.view.Appearance(v.ctx(), v.wantedLocale(v.config().Locale))
		if err == nil {
			v.setLook(look)
		}
		return err
	})
	v.relocaled = err == nil
	return err
}

// localeMatcher finds the locale for what a browser asks for, in the order of
// [portal.Locales].
var localeMatcher = func() language.Matcher {
	var tags []language.Tag
	for _, locale := range portal.Locales() {
		tags = append(tags, language.MustParse(locale))
	}
	return language.NewMatcher(tags)
}()
