package web_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestAVisitorChoosesALanguage(t *testing.T) {
	t.Parallel()
	f := setup(t, memory.New(), "https://portal.example", web.Options{})
	open := func(c portal.Config, asks string) (*clientPrefix, answer) {
		v := f.visitor(t)
		v.header.Set("Accept-Language", asks)
		return v, v.open(f.portal(t, portal.CreateRequest{Config: c}).URL.Reveal())
	}
	_, a := open(portal.Config{}, "tlh, de-AT;q=0.9, en;q=0.5")
	require.Contains(t, a.body, `<html lang="de-DE">`)
	_, a = open(portal.Config{}, "tlh")
	require.Contains(t, a.body, `<html lang="en-US">`)
	v, a := open(portal.Config{Locale: "pl-PL"}, "de")
	require.Contains(t, a.body, `<html lang="pl-PL">`, "the portal's own comes before what the browser asks for")
	back := v.post(v.home+"reservations?state=all", "set_locale", "el-GR")
	require.Equal(t, v.home+"reservations?state=all", back.Header.Get("Location"))
	require.Contains(t, v.follow(back).body, `<html lang="el-GR">`)
	v.post(v.home, "set_locale", "../../etc")
	require.Contains(t, v.get(v.home).body, `<html lang="el-GR">`)
	v, a = open(portal.Config{Locale: "fr-FR", ExcludeLocalePicker: true}, "de")
	require.NotContains(t, a.body, "set_locale")
	require.Contains(t, v.follow(v.post(v.home, "set_locale", "el-GR")).body, `<html lang="fr-FR">`)
	v = f.visitor(t)
	v.header.Set("Accept-Language", "it")
	require.Contains(t, v.get("/").body, "Questa pagina non esiste", "where no portal is known the browser's")
}
