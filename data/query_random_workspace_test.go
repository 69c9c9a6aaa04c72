package data_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// generator generates random resources and queries.
type generator struct {
	*rand.Rand
	usedKeys []string // of all resources
}

var nameParts = strings.Fields("Ada ada Renée RENÉE Rene\u0301e Zoë Straße STRASSE Łukasz Søren Ærø Фёдор Οδυσσεύς Room Room-7 101 1010 O'Brien (old) & 7")

// keyParts are parts of keys. They have one or more bytes. Some contain separators of paths and queries, and some are a prefix
// of another one.
var keyParts = []string{"7", "a", "A", "b", "/", ".", "-", "_", "é", "ÿ", "\U0003134A", "\uFFFD", "101", "%2F", "room", "r", "t", `"<&'`, "a b"}

// key returns a key of 1 to 512 bytes that is not in taken, and adds it to taken.
func (r *generator) key(taken map[string]bool) string {
	for {
		var b strings.Builder
		parts := 1 + r.IntN(4)
		for range parts {
			b.WriteString(keyParts[r.IntN(len(keyParts))])
		}
		key := b.String()
		switch r.IntN(12) {
		case 0:
			key = string(rune('!' + r.IntN(94)))
		case 1:
			key += strings.Repeat("k", 512-len(key)-r.IntN(3))
		case 2:
			if len(r.usedKeys) > 0 { // another key is a prefix of this one
				key = r.usedKeys[r.IntN(len(r.usedKeys))] + key
			}
		}
		key = strings.TrimSpace(key)
		if key != "" && len(key) <= 512 && !taken[key] {
			taken[key] = true
			r.usedKeys = append(r.usedKeys, key)
			return key
		}
	}
}

func (r *generator) name() string {
	var parts []string
	for range 1 + r.IntN(3) {
		parts = append(parts, nameParts[r.IntN(len(nameParts))])
	}
	return strings.Join(parts, " ")
}

// time returns a time in the years 1 to 9999, in whole microseconds. Most times are close to each other.
func (r *generator) time() time.Time {
	switch r.IntN(10) {
	case 0:
		return time.Date(1+r.IntN(9999), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 1000*(1+r.IntN(999_999)), time.UTC)
	case 1:
		return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).Add(-time.Duration(r.IntN(3)) * time.Microsecond)
	case 2:
		return time.Date(1, 1, 1, 0, 0, 0, 1000*(1+r.IntN(3)), time.UTC)
	case 3, 4:
		return day(float64(r.IntN(20))) // often equal to other times
	}
	return day(r.Float64() * 100).Truncate(time.Microsecond)
}

// queryTime returns a time for a query. Some times are between two microseconds.
func (r *generator) queryTime() time.Time {
	t := r.time()
	switch r.IntN(6) {
	case 0:
		return t.Add(time.Duration(1+r.IntN(999)) * time.Nanosecond)
	case 1:
		return t.In(time.FixedZone("", 3600*(r.IntN(25)-12)))
	}
	return t
}

func (r *generator) oneIn(n int) bool { return r.IntN(n) == 0 }

func (r *generator) pick(choices []string) string {
	if len(choices) == 0 {
		return "none"
	}
	return choices[r.IntN(len(choices))]
}

var metadataFields = map[string][]any{"vip": {true, false}, "floor": {"3", "4", "3rd"}, "note": {"true", "x"}}

func (r *generator) metadata() map[string]any {
	m := map[string]any{}
	for _, name := range []string{"vip", "floor", "note"} {
		if r.oneIn(2) {
			m[name] = metadataFields[name][r.IntN(len(metadataFields[name]))]
		}
	}
	return m
}

// workspace pushes random resources to ws and returns a naiveWorkspace with the same resources.
func (r *generator) workspace(t *testing.T, ws *data.Workspace) *naiveWorkspace {
	t.Helper()
	n := &naiveWorkspace{customerNames: map[string]string{}}
	customers := map[string]bool{}
	taken := map[string]map[string]bool{"space": {}, "user_identity": {}, "access_grant": {}}
	hasLargeSite := r.oneIn(3)
	for range 1 + r.IntN(3) {
		customer := r.key(customers)
		var spaces, sites, users []string
		var resources []naiveResource
		for i := range 4 + r.IntN(25) {
			s := naiveResource{class: "space", kind: r.pick(naiveKinds["space"]), key: r.key(taken["space"]), name: r.name()}
			if i == 0 {
				s.kind = "site"
			}
			if s.kind == "site" {
				sites = append(sites, s.key)
			}
			spaces, resources = append(spaces, s.key), append(resources, s)
		}
		if hasLargeSite {
			hasLargeSite = false
			for range 55 {
				s := naiveResource{class: "space", kind: "room", key: r.key(taken["space"]), name: r.name(), site: sites[0]}
				spaces, resources = append(spaces, s.key), append(resources, s)
			}
		}
		for i := range resources {
			s := &resources[i]
			if slices.Contains(strings.Fields("space room common_area unit"), s.kind) && s.site == "" && !r.oneIn(3) {
				s.site = r.pick(sites)
				if r.oneIn(10) {
					s.site = r.pick(spaces) // perhaps not a site
				}
			}
			if s.kind == "property_listing" {
				s.metadata = r.metadata()
			}
		}
		for range r.IntN(20) {
			u := naiveResource{class: "user_identity", kind: r.pick(naiveKinds["user_identity"]), key: r.key(taken["user_identity"]), name: r.name()}
			if r.oneIn(2) {
				u.email = fmt.Sprintf("%c%d@example.com", 'a'+r.IntN(5), r.IntN(20))
			}
			if r.oneIn(2) {
				u.phone = fmt.Sprintf("(%d)%d-%d", 541+r.IntN(3), 639, 5376+r.IntN(4))
			}
			if u.kind == "staff_member" {
				u.spaces = r.pickSeveral(spaces, 4)
				if r.oneIn(2) {
					u.starts = day(float64(r.IntN(20)))
					u.ends = u.starts.Add(time.Hour)
				}
			} else {
				users = append(users, u.key)
			}
			resources = append(resources, u)
		}
		for range r.IntN(60) {
			resources = append(resources, r.accessGrant(r.key(taken["access_grant"]), users, spaces))
		}
		n.customerNames[customer] = ""
		if r.oneIn(2) {
			n.customerNames[customer] = r.name()
		}
		for i := range resources {
			resources[i].customer = customer
		}
		n.push(t, ws, customer, resources)
		// Change and delete some access grants, so that their rows in the indexes change.
		for i := range resources {
			if resources[i].class == "access_grant" && r.oneIn(4) {
				resources[i] = r.accessGrant(resources[i].key, users, spaces)
				resources[i].customer = customer
			}
		}
		deleted := map[string]bool{}
		for _, g := range resources {
			if g.class == "access_grant" && r.oneIn(8) {
				deleted[g.key] = true
				_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindAccessGrant, g.key)})
				require.NoError(t, err)
			}
		}
		resources = slices.DeleteFunc(resources, func(g naiveResource) bool { return g.class == "access_grant" && deleted[g.key] })
		n.push(t, ws, customer, resources)
		n.resources = append(n.resources, resources...)
	}
	if r.oneIn(3) {
		other := r.key(customers)
		n.push(t, ws, other, []naiveResource{{class: "space", kind: "room", key: r.key(taken["space"]), name: "Gone"}, {class: "access_grant", kind: "booking", key: r.key(taken["access_grant"])}})
		_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{other}})
		require.NoError(t, err)
	}
	return n
}

// accessGrant returns an access grant. Its kind depends only on its key.
func (r *generator) accessGrant(key string, users, spaces []string) naiveResource {
	g := naiveResource{class: "access_grant", kind: naiveKinds["access_grant"][len(key)%3], key: key, spaces: r.pickSeveral(spaces, 4)}
	if !r.oneIn(4) {
		g.user = r.pick(users)
	}
	if r.oneIn(3) {
		g.name = r.name()
	}
	if r.oneIn(3) {
		g.code = strconv.Itoa(1000 + r.IntN(9000))
	}
	if g.kind == "reservation" {
		g.metadata = r.metadata()
	}
	g.starts = r.time()
	switch r.IntN(4) {
	case 0:
		g.ends = r.time()
	default:
		g.ends = g.starts.Add(time.Duration(1+r.Int64N(1<<(1+r.IntN(52)))) * time.Microsecond)
	}
	if !g.ends.After(g.starts) || g.ends.Year() > 9999 {
		g.ends = time.Time{}
	}
	switch r.IntN(8) {
	case 0:
		g.starts = time.Time{}
	case 1:
		g.ends = time.Time{}
	case 2:
		g.starts, g.ends = time.Time{}, time.Time{}
	}
	return g
}

// pickSeveral returns fewer than maximum choices, and sometimes the key of no resource.
func (r *generator) pickSeveral(choices []string, maximum int) []string {
	var out []string
	for range r.IntN(maximum) {
		if choice := r.pick(choices); !slices.Contains(out, choice) {
			out = append(out, choice)
		}
	}
	if r.oneIn(12) {
		out = append(out, "nowhere")
	}
	return out
}

// push replaces the customer's resources in the store with the given ones and records their ids.
func (n *naiveWorkspace) push(t *testing.T, ws *data.Workspace, customer string, resources []naiveResource) {
	t.Helper()
	kind := func(name string) data.Kind {
		k, err := data.ParseKind(name)
		require.NoError(t, err)
		return k
	}
	d := data.CustomerData{CustomerKey: customer, CustomerName: n.customerNames[customer]}
	for _, r := range resources {
		switch r.class {
		case "space":
			d.Add(data.Space{Kind: kind(r.kind), Key: r.key, Name: r.name, ParentSiteKey: r.site, CustomMetadata: r.metadata})
		case "user_identity":
			d.Add(data.UserIdentity{Kind: kind(r.kind), Key: r.key, Name: r.name, EmailAddress: r.email, PhoneNumber: r.phone, Spaces: data.Refs(data.KindRoom, r.spaces...), StartsAt: r.starts, EndsAt: r.ends})
		default:
			g := data.AccessGrant{Kind: kind(r.kind), Key: r.key, Name: r.name, PreferredCode: r.code, StartsAt: r.starts, EndsAt: r.ends, CustomMetadata: r.metadata}
			g.Spaces = data.Refs(data.KindUnit, r.spaces...)
			if r.user != "" {
				g.User = data.Ref{Kind: data.KindGuest, Key: r.user}
			}
			d.Add(g)
		}
	}
	report, err := ws.PushWith(t.Context(), d, data.PushOptions{Replace: true})
	require.NoError(t, err)
	for i := range resources {
		at := slices.IndexFunc(report.Resources, func(p data.PushedResource) bool {
			return p.Kind.Class().String() == resources[i].class && p.Key == resources[i].key
		})
		resources[i].id = report.Resources[at].ID.String()
	}
}
