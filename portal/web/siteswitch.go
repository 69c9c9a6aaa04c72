package web

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/portal"
)

// siteSwitch is the choice of the site that the pages Today and Calendar show. The browser keeps it in a cookie until the portal
// expires.
type siteSwitch struct {
	Key     string // the chosen site; "" for all sites
	All     string // path of the page with all sites
	Options []siteOption
	Action  string        // path of the page without query
	Kept    []hiddenInput // the other parameters of the page, which a choice keeps
	Few     bool          // each option is a link, otherwise they are in a select

	names map[string]string // of all sites, by key
	keys  []string          // of all sites, in the order of their names
	place portal.Place      // of the chosen site
}

type siteOption struct {
	Key, Name, Path string
	Chosen          bool
}

const (
	siteParam  = "site"
	siteCookie = "site"
	fewSites   = 6
)

// siteSwitch returns the choice of sites for the page at a path. It is empty in a portal with fewer than two sites. It stores
// the site that the visitor has just chosen. A choice keeps the query parameters in pairs of names and values.
func (x *exchange) siteSwitch(path string, pairs ...string) (siteSwitch, error) {
	asked := x.r.URL.Query()
	out := siteSwitch{Action: x.link(path), names: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out.Kept = append(out.Kept, hiddenInput{pairs[i], pairs[i+1]})
		}
	}
	if !x.can(portal.ActionReadSpaces) {
		return out, nil
	}
	page, err := x.view.Spaces(x.ctx(), data.Query{Kinds: []data.Kind{data.KindSite}, ByName: true, Limit: siteLimit})
	if err != nil {
		return out, err
	}
	sites := page.Items
	for _, s := range sites {
		out.names[s.Key] = s.Name
		out.keys = append(out.keys, s.Key)
	}
	if len(sites) < 2 {
		return out, nil
	}
	chosen := x.storedSite()
	if asked.Has(siteParam) {
		chosen = asked.Get(siteParam)
	}
	if chosen != "" {
		s, related, err := x.view.Space(x.ctx(), chosen)
		switch {
		case errors.Is(err, data.ErrResourceNotFound) || err == nil && s.Kind != data.KindSite:
			chosen = ""
		case err != nil:
			return out, err
		default:
			out.place = related.Place(s.Ref())
			if out.names[s.Key] == "" { // the list of sites is longer than a page
				sites, out.names[s.Key] = append(sites, s), s.Name
			}
		}
	}
	if asked.Has(siteParam) {
		x.storeSite(chosen)
	}
	out.Key, out.Few = chosen, len(sites) <= fewSites
	out.All = x.siteLink(path, "", pairs)
	for _, s := range sites {
		out.Options = append(out.Options, siteOption{s.Key, s.Name, x.siteLink(path, s.Key, pairs), s.Key == chosen})
	}
	return out, nil
}

// siteLink returns the path of a page for a site, or for all sites if the key is empty.
func (x *exchange) siteLink(path, key string, pairs []string) string {
	if key != "" {
		return x.link(path, append(slices.Clone(pairs), siteParam, key)...)
	}
	path = x.link(path, pairs...)
	if strings.Contains(path, "?") {
		return path + "&" + siteParam + "="
	}
	return path + "?" + siteParam + "="
}

// The value of the cookie is the short name of the portal, a full stop, and the key of the site in base64url. A browser keeps
// the site of one portal.

func (x *exchange) storedSite() string {
	name, key, _ := strings.Cut(x.cookie(siteCookie), ".")
	b, ok := base64url.Decode(key)
	if !ok || name != shortName(x.session.Portal()) {
		return ""
	}
	return string(b)
}

// storeSite stores the chosen site. An empty key removes the choice.
func (x *exchange) storeSite(key string) {
	p := x.session.Portal()
	until := p.ExpiresAt
	if key == "" {
		until = time.Time{}
	}
	x.setCookie(siteCookie, shortName(p)+"."+base64url.Encode([]byte(key)), until, p.Config.IsEmbedded)
}
