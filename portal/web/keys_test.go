package web_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// legalKeys are the shortest and longest keys, and keys with characters that have a meaning in paths, queries, forms or
// HTML.
var legalKeys = []string{
	"7", "0", "a", "ab", "/", ".", "..", "é", "ÿ", "a b", "a+b", "%2F", "a?b=c&d#e", `"<&'`, "{{.}}", "\U0003134A",
	strings.Repeat("k", 511), strings.Repeat("k", 512), strings.Repeat("ÿ", 256),
}

// dataWithKeys returns a customer with resources under all legalKeys and references to these resources. shift selects
// the kinds of the resources.
func dataWithKeys(customer string, shift int, now time.Time) (data.CustomerData, []data.Ref) {
	d := data.CustomerData{CustomerKey: customer}
	d.Add(data.Site("*", "Site"))
	refs := data.Refs(data.KindSite, "*")
	pick := func(class data.Class, i int) data.Kind {
		kinds := data.Kinds(class)
		return kinds[(i+shift)%len(kinds)]
	}
	for i, key := range legalKeys {
		space := data.Space{Kind: pick(data.ClassSpace, i), Key: key, Name: "Space"}
		switch space.Kind {
		case data.KindSpace, data.KindRoom, data.KindCommonArea, data.KindUnit:
			space.ParentSiteKey = "*"
		}
		user := data.UserIdentity{Kind: pick(data.ClassUserIdentity, i), Key: key, Name: "User"}
		grant := data.AccessGrant{Kind: pick(data.ClassAccessGrant, i), Key: key, Spaces: data.Refs(data.KindSpace, key)}
		if user.Kind == data.KindStaffMember {
			user.Spaces = data.Refs(data.KindSpace, key)
		} else {
			grant.User = data.Ref{Kind: user.Kind, Key: key}
		}
		grant = grant.During(now.Add(time.Duration(i)*time.Hour), now.Add(time.Duration(i+24)*time.Hour))
		d.Add(space, user, grant)
		refs = append(refs, space.Ref(), user.Ref(), grant.Ref())
	}
	return d, refs
}

var hrefs = regexp.MustCompile(`href="([^"]*)"`)

// isOtherDay reports whether a link leads to a page about another day than today. The calendar has such links for every day.
func (b *browser) isOtherDay(to string) bool {
	_, day, has := strings.Cut(to, "from=")
	return has && !strings.HasPrefix(day, b.fixture.clock.Now().Format(time.DateOnly))
}

// crawl gets every page that is linked from pages of the portal, and returns the paths relative to its home. Each
// response must be 200.
func (b *browser) crawl() []string {
	b.t.Helper()
	seen := []string{b.home}
	for i := 0; i < len(seen); i++ {
		a := b.get(seen[i])
		require.Equal(b.t, http.StatusOK, a.StatusCode, "%.300s\n%s", seen[i], b.fixture.logs)
		for _, found := range hrefs.FindAllStringSubmatch(a.body, -1) {
			to, _, _ := strings.Cut(html.UnescapeString(found[1]), "#")
			if strings.HasPrefix(to, b.home) && !strings.Contains(to, "theme.css") && !slices.Contains(seen, to) && !b.isOtherDay(to) {
				seen = append(seen, to)
			}
		}
	}
	for i := range seen {
		seen[i] = strings.TrimPrefix(seen[i], b.home)
	}
	return seen
}

func TestPages_EveryValidKey_IsReachable(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		f := setup(t, store, "https://portal.example", web.Options{})
		shifts := []int{0, 3, 5}
		if _, isMemory := store.(*memory.Store); !isMemory || race.Enabled {
			shifts = shifts[:1] // the other kinds are stored alike
		}
		for round, shift := range shifts {
			customer := []string{"c", "/?&", strings.Repeat("c", 512)}[round]
			d, refs := dataWithKeys(customer, shift, f.clock.Now())
			p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: &d})
			require.NoError(t, err)
			b := f.newBrowser(t)
			require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
			visited := b.crawl()
			for _, ref := range refs {
				page := map[data.Class]string{data.ClassSpace: "spaces", data.ClassUserIdentity: "guests", data.ClassAccessGrant: "reservations"}[ref.Kind.Class()]
				if ref.Kind == data.KindStaffMember {
					page = "staff"
				}
				require.Condition(t, func() bool {
					return slices.ContainsFunc(visited, func(path string) bool {
						u, err := url.Parse(path)
						return err == nil && u.Path == page+"/view" && u.Query().Get("key") == ref.Key
					})
				}, "no page leads to %s %.60q", ref.Kind, ref.Key)
			}
			// The forms accept each key as well.
			for _, key := range legalKeys {
				a := b.follow(b.post(b.home+"spaces/rename?key="+url.QueryEscape(key), "name", "New name"))
				require.Equal(t, http.StatusOK, a.StatusCode, "%.60q: %s", key, a.body)
				space, err := f.ws().Space(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, "New name", space.Name, "%.60q", key)
			}
			_, err = f.ws().Delete(t.Context(), data.Selection{CustomerKeys: []string{customer}})
			require.NoError(t, err)
		}
		require.Empty(t, f.logs.String())
	})
}

func TestPages_EveryValidKey_CanBeLandingPageAndDeepLink(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d, refs := dataWithKeys("c", 1, f.clock.Now())
	_, err := f.ws().Push(t.Context(), d)
	require.NoError(t, err)
	for _, ref := range refs {
		alias := data.Ref{Kind: data.KindSpace, Key: ref.Key}
		switch ref.Kind.Class() {
		case data.ClassUserIdentity:
			continue
		case data.ClassAccessGrant:
			alias.Kind = data.KindReservation
		}
		configs := []portal.Config{{DeepLink: alias}, {LandingPage: ref}, {LandingPage: ref, NavigationMode: portal.NavigationRestricted}}
		for _, config := range configs {
			p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "c", Config: config})
			require.NoError(t, err, "%.60s", ref)
			b := f.newBrowser(t)
			require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode, "%.60s", ref)
			require.NotEmpty(t, b.home)
			a := b.follow(b.get(b.home))
			require.Equal(t, http.StatusOK, a.StatusCode, "%.60s", ref)
		}
	}
	deleted, err := f.ws().Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSpace, legalKeys...)})
	require.NoError(t, err)
	require.Len(t, deleted.Deleted, 2*len(legalKeys))
	require.Len(t, deleted.Revoked, 2*len(legalKeys), "the portals that were deep links to these spaces and their access grants")
	require.Empty(t, f.logs.String())
}
