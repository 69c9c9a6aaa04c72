package web_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
)

func TestLocale_ChosenByVisitor_IsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	open := func(c portal.Config, asks string) (*browser, response) {
		b := f.newBrowser(t)
		b.header.Set("Accept-Language", asks)
		return b, b.open(f.portal(t, portal.CreateRequest{Config: c}).URL.Reveal())
	}
	_, a := open(portal.Config{}, "tlh, de-AT;q=0.9, en;q=0.5")
	require.Contains(t, a.body, `<html lang="de-DE">`)
	_, a = open(portal.Config{}, "tlh")
	require.Contains(t, a.body, `<html lang="en-US">`)
	b, a := open(portal.Config{Locale: "pl-PL"}, "de")
	require.Contains(t, a.body, `<html lang="pl-PL">`, "the portal's own comes before what the browser asks for")
	back := b.post(b.home+"reservations?state=all", "set_locale", "el-GR")
	require.Equal(t, b.home+"reservations?state=all", back.Header.Get("Location"))
	require.Contains(t, b.follow(back).body, `<html lang="el-GR">`)
	b.post(b.home, "set_locale", "../../etc")
	require.Contains(t, b.get(b.home).body, `<html lang="el-GR">`)
	b, a = open(portal.Config{Locale: "fr-FR", ExcludeLocalePicker: true}, "de")
	require.NotContains(t, a.body, "set_locale")
	require.Contains(t, b.follow(b.post(b.home, "set_locale", "el-GR")).body, `<html lang="fr-FR">`)
	b = f.newBrowser(t)
	b.header.Set("Accept-Language", "it")
	require.Contains(t, b.get("/").body, "Questa pagina non esiste", "where no portal is known the browser's")
}
