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

// random makes the resources and the questions of the test.
type random struct {
	*rand.Rand
	keys []string // all keys of the world
}

// textsOfNames are parts of names.
var textsOfNames = strings.Fields("Ada ada Renée RENÉE Rene\u0301e Zoë Straße STRASSE Łukasz Søren Ærø Фёдор Οδυσσεύς Room Room-7 101 1010 O'Brien (old) & 7")

// keyParts are parts of keys: of one byte and more, with bytes that separate elsewhere, and of
// which one begins another.
var keyParts = []string{"7", "a", "A", "b", "/", ".", "-", "_", "é", "ÿ", "\U0003134A", "\uFFFD", "101", "%2F", "room", "r", "t", `"<&'`, "a b"}

// key makes a key of 1 to 512 bytes that no resource of the world has.
func (r *random) key(taken map[string]bool) string {
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
			if len(r.keys) > 0 { // the key of another, and more
				key = r.keys[r.IntN(len(r.keys))] + key
			}
		}
		key = strings.TrimSpace(key)
		if key != "" && len(key) <= 512 && !taken[key] {
			taken[key] = true
			r.keys = append(r.keys, key)
			return key
		}
	}
}

func (r *random) name() string {
	var parts []string
	for range 1 + r.IntN(3) {
		parts = append(parts, textsOfNames[r.IntN(len(textsOfNames))])
	}
	return strings.Join(parts, " ")
}

// moment makes a time in the years 1 to 9999, mostly near others, in whole microseconds.
func (r *random) moment() time.Time {
	switch r.IntN(10) {
	case 0:
		return time.Date(1+r.IntN(9999), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 1000*(1+r.IntN(999_999)), time.UTC)
	case 1:
		return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).Add(-time.Duration(r.IntN(3)) * time.Microsecond)
	case 2:
		return time.Date(1, 1, 1, 0, 0, 0, 1000*(1+r.IntN(3)), time.UTC)
	case 3, 4:
		return day(float64(r.IntN(20))) // the same as others
	}
	return day(r.Float64() * 100).Truncate(time.Microsecond)
}

// bound makes a bound of a query, now and then between two microseconds.
func (r *random) bound() time.Time {
	t := r.moment()
	switch r.IntN(6) {
	case 0:
		return t.Add(time.Duration(1+r.IntN(999)) * time.Nanosecond)
	case 1:
		return t.In(time.FixedZone("", 3600*(r.IntN(25)-12)))
	}
	return t
}

func (r *random) chance(n int) bool { return r.IntN(n) == 0 }

func (r *random) one(of []string) string {
	if len(of) == 0 {
		return "none"
	}
	return of[r.IntN(len(of))]
}

var metadataFields = map[string][]any{"vip": {true, false}, "floor": {"3", "4", "3rd"}, "note": {"true", "x"}}

func (r *random) metadata() map[string]any {
	m := map[string]any{}
	for _, name := range []string{"vip", "floor", "note"} {
		if r.chance(2) {
			m[name] = metadataFields[name][r.IntN(len(metadataFields[name]))]
		}
	}
	return m
}

// world makes a workspace in the store and its naive form.
func (r *random) world(t *testing.T, ws *data.Workspace) *naive {
	t.Helper()
	n := &naive{names: map[string]string{}}
	customers := map[string]bool{}
	taken := map[string]map[string]bool{"space": {}, "user_identity": {}, "access_grant": {}}
	large := r.chance(3) // a site with many rooms
	for range 1 + r.IntN(3) {
		customer := r.key(customers)
		var spaces, sites, users []string
		var mine []listed
		for i := range 4 + r.IntN(25) {
			s := listed{class: "space", kind: r.one(naiveKinds["space"]), key: r.key(taken["space"]), name: r.name()}
			if i == 0 {
				s.kind = "site"
			}
			if s.kind == "site" {
				sites = append(sites, s.key)
			}
			spaces, mine = append(spaces, s.key), append(mine, s)
		}
		if large {
			large = false
			for range 55 {
				s := listed{class: "space", kind: "room", key: r.key(taken["space"]), name: r.name(), site: sites[0]}
				spaces, mine = append(spaces, s.key), append(mine, s)
			}
		}
		for i := range mine {
			s := &mine[i]
			if slices.Contains(strings.Fields("space room common_area unit"), s.kind) && s.site == "" && !r.chance(3) {
				s.site = r.one(sites)
				if r.chance(10) {
					s.site = r.one(spaces) // that may be no site
				}
			}
			if s.kind == "property_listing" {
				s.metadata = r.metadata()
			}
		}
		for range r.IntN(20) {
			u := listed{class: "user_identity", kind: r.one(naiveKinds["user_identity"]), key: r.key(taken["user_identity"]), name: r.name()}
			if r.chance(2) {
				u.email = fmt.Sprintf("%c%d@example.com", 'a'+r.IntN(5), r.IntN(20))
			}
			if r.chance(2) {
				u.phone = fmt.Sprintf("(%d)%d-%d", 541+r.IntN(3), 639, 5376+r.IntN(4))
			}
			if u.kind == "staff_member" {
				u.spaces = r.some(spaces, 4)
			} else {
				users = append(users, u.key)
			}
			mine = append(mine, u)
		}
		for range r.IntN(60) {
			mine = append(mine, r.grant(r.key(taken["access_grant"]), users, spaces))
		}
		n.names[customer] = ""
		if r.chance(2) {
			n.names[customer] = r.name()
		}
		for i := range mine {
			mine[i].customer = customer
		}
		n.push(t, ws, customer, mine)
		// Some grants move, some go: the rows of the indexes move with them.
		for i := range mine {
			if mine[i].class == "access_grant" && r.chance(4) {
				mine[i] = r.grant(mine[i].key, users, spaces)
				mine[i].customer = customer
			}
		}
		gone := map[string]bool{}
		for _, g := range mine {
			if g.class == "access_grant" && r.chance(8) {
				gone[g.key] = true
				_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindAccessGrant, g.key)})
				require.NoError(t, err)
			}
		}
		mine = slices.DeleteFunc(mine, func(g listed) bool { return g.class == "access_grant" && gone[g.key] })
		n.push(t, ws, customer, mine)
		n.all = append(n.all, mine...)
	}
	if r.chance(3) {
		other := r.key(customers)
		n.push(t, ws, other, []listed{{class: "space", kind: "room", key: r.key(taken["space"]), name: "Gone"}, {class: "access_grant", kind: "booking", key: r.key(taken["access_grant"])}})
		_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{other}})
		require.NoError(t, err)
	}
	return n
}

// grant makes an access grant with a key and kind that stay as they are.
func (r *random) grant(key string, users, spaces []string) listed {
	g := listed{class: "access_grant", kind: naiveKinds["access_grant"][len(key)%3], key: key, spaces: r.some(spaces, 4)}
	if !r.chance(4) {
		g.user = r.one(users)
	}
	if r.chance(3) {
		g.name = r.name()
	}
	if r.chance(3) {
		g.code = strconv.Itoa(1000 + r.IntN(9000))
	}
	if g.kind == "reservation" {
		g.metadata = r.metadata()
	}
	g.starts = r.moment()
	switch r.IntN(4) {
	case 0:
		g.ends = r.moment()
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

// some picks up to most of the texts, and now and then one that is not among them.
func (r *random) some(of []string, most int) []string {
	var out []string
	for range r.IntN(most) {
		if pick := r.one(of); !slices.Contains(out, pick) {
			out = append(out, pick)
		}
	}
	if r.chance(12) {
		out = append(out, "nowhere")
	}
	return out
}

// push makes the store hold what the naive customer holds.
func (n *naive) push(t *testing.T, ws *data.Workspace, customer string, mine []listed) {
	t.Helper()
	kind := func(name string) data.Kind {
		k, err := data.ParseKind(name)
		require.NoError(t, err)
		return k
	}
	d := data.CustomerData{CustomerKey: customer, CustomerName: n.names[customer]}
	for _, r := range mine {
		switch r.class {
		case "space":
			d.Add(data.Space{Kind: kind(r.kind), Key: r.key, Name: r.name, ParentSiteKey: r.site, CustomMetadata: r.metadata})
		case "user_identity":
			d.Add(data.UserIdentity{Kind: kind(r.kind), Key: r.key, Name: r.name, EmailAddress: r.email, PhoneNumber: r.phone, Spaces: data.Refs(data.KindRoom, r.spaces...)})
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
	for i := range mine {
		at := slices.IndexFunc(report.Resources, func(p data.PushedResource) bool {
			return p.Kind.Class().String() == mine[i].class && p.Key == mine[i].key
		})
		mine[i].id = report.Resources[at].ID.String()
	}
}
