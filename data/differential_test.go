package data_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// The differential test compares every list of the package with a naive one: it keeps the
// resources in slices, looks at all of them for each query, sorts what it finds, and shares
// no code with the library.

// listed is a resource as the naive lists know it.
type listed struct {
	customer, class, kind, key string
	name, email, phone, code   string
	id                         string
	site                       string // parent site
	user                       string
	spaces                     []string
	starts, ends               time.Time
	metadata                   map[string]any
}

// naive is a workspace.
type naive struct {
	names map[string]string // of each customer, by its key
	all   []listed
}

// naiveKinds are the kinds of each class, in the order of lists.
var naiveKinds = map[string][]string{
	"space":         strings.Fields("space site property room common_area unit facility building listing property_listing"),
	"user_identity": strings.Fields("user_identity guest tenant resident user staff_member"),
	"access_grant":  strings.Fields("access_grant reservation booking"),
}

// question is a query as the test makes it.
type question struct {
	class                             string // or "customers" or "referrers"
	customer                          string
	kinds, keys                       []string
	byKeys                            bool // keys counts, even if it is empty
	site, space, user                 string
	from, until, startsFrom, endUntil time.Time
	text                              string
	now                               time.Time
	metadata                          map[string]any
	keep                              string // keys that contain it are left out
	limit                             int
}

func (q question) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %.40q", q.class, q.customer)
	for _, part := range []struct {
		name string
		set  bool
		v    any
	}{
		{"kinds", q.kinds != nil, q.kinds}, {"keys", q.byKeys, fmt.Sprintf("%.200q", q.keys)}, {"site", q.site != "", fmt.Sprintf("%q", q.site)},
		{"space", q.space != "", fmt.Sprintf("%q", q.space)}, {"user", q.user != "", fmt.Sprintf("%q", q.user)},
		{"from", !q.from.IsZero(), q.from}, {"until", !q.until.IsZero(), q.until},
		{"startsFrom", !q.startsFrom.IsZero(), q.startsFrom}, {"endsUntil", !q.endUntil.IsZero(), q.endUntil},
		{"text", q.text != "", fmt.Sprintf("%q", q.text)}, {"now", q.text != "", q.now},
		{"metadata", q.metadata != nil, q.metadata}, {"keep", q.keep != "", fmt.Sprintf("%q", q.keep)}, {"limit", true, q.limit},
	} {
		if part.set {
			fmt.Fprintf(&b, ", %s %v", part.name, part.v)
		}
	}
	return b.String()
}

// answer is the expected result of a list: an error, or keys in order.
type answer struct {
	err  string
	keys []string
}

// ask answers a question.
func (n *naive) ask(q question) answer {
	timed := !q.from.IsZero() || !q.until.IsZero() || !q.startsFrom.IsZero() || !q.endUntil.IsZero()
	grants, spaces := q.class == "access_grant", q.class == "space"
	if q.site != "" && !spaces || q.space != "" && spaces || q.user != "" && !grants || timed && !grants || len(q.metadata) > 0 && q.class == "user_identity" ||
		!q.from.IsZero() && !q.until.IsZero() && !q.from.Before(q.until) {
		return answer{err: "invalid"}
	}
	if _, there := n.names[q.customer]; !there && q.customer != "" {
		return answer{err: "customer"}
	}
	// A site stands for the spaces in it as well.
	places := []string{q.space}
	for _, site := range n.all {
		if site.kind == "site" && site.key == q.space && (q.customer == "" || q.customer == site.customer) {
			for _, r := range n.all {
				if r.class == "space" && r.site == site.key && r.customer == site.customer {
					places = append(places, r.key)
				}
			}
		}
	}
	var found []listed
	for _, r := range n.all {
		switch {
		case r.class != q.class,
			q.customer != "" && r.customer != q.customer,
			q.kinds != nil && !slices.Contains(q.kinds, r.kind),
			q.byKeys && !slices.Contains(q.keys, r.key),
			q.site != "" && r.site != q.site,
			q.space != "" && !slices.ContainsFunc(r.spaces, func(key string) bool { return slices.Contains(places, key) }),
			q.user != "" && r.user != q.user,
			!q.from.IsZero() && !r.ends.IsZero() && !r.ends.After(q.from),
			!q.until.IsZero() && !r.starts.IsZero() && !r.starts.Before(q.until),
			!q.startsFrom.IsZero() && (r.starts.IsZero() || r.starts.Before(q.startsFrom)),
			!q.endUntil.IsZero() && (r.ends.IsZero() || !r.ends.Before(q.endUntil)),
			q.keep != "" && strings.Contains(r.key, q.keep),
			!n.found(q.text, r):
			continue
		}
		if slices.ContainsFunc(fieldsNamed(q.metadata), func(name string) bool { return r.metadata[name] != q.metadata[name] }) {
			continue
		}
		found = append(found, r)
	}
	search := len(words(q.text)) > 0
	inTime := grants && q.customer != "" && !q.byKeys && (search || q.space != "" || q.user != "" || timed)
	slices.SortFunc(found, func(a, b listed) int {
		if !inTime {
			return strings.Compare(a.key, b.key)
		}
		if search {
			endedA, endedB := !a.ends.IsZero() && !a.ends.After(q.now), !b.ends.IsZero() && !b.ends.After(q.now)
			switch {
			case endedA != endedB:
				return cmp.Compare(truth(endedA), truth(endedB))
			case endedA:
				return byTime(b, a)
			}
		}
		return byTime(a, b)
	})
	return answer{keys: keysIn(found)}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func fieldsNamed(m map[string]any) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

func keysIn(found []listed) []string {
	keys := []string{}
	for _, r := range found {
		keys = append(keys, r.key)
	}
	return keys
}

// byTime compares access grants by their start, kind and key. Those without a start come
// first, by their end.
func byTime(a, b listed) int {
	at := func(r listed) time.Time {
		switch {
		case !r.starts.IsZero():
			return r.starts
		case !r.ends.IsZero():
			return r.ends
		}
		return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	}
	order := naiveKinds["access_grant"]
	return cmp.Or(cmp.Compare(truth(!a.starts.IsZero()), truth(!b.starts.IsZero())), at(a).Compare(at(b)),
		cmp.Compare(slices.Index(order, a.kind), slices.Index(order, b.kind)), strings.Compare(a.key, b.key))
}

// of returns the resource of a customer with that class and key.
func (n *naive) of(customer, class, key string) (listed, bool) {
	for _, r := range n.all {
		if r.customer == customer && r.class == class && r.key == key {
			return r, true
		}
	}
	return listed{}, false
}

// found reports whether a search finds a resource.
func (n *naive) found(text string, r listed) bool {
	if len(words(text)) == 0 {
		return true
	}
	texts, phones, ids := []string{r.name, r.key, r.email, r.phone, r.code}, []string{r.phone}, []string{}
	switch r.class {
	case "space":
		texts = append(texts, r.customer)
	case "user_identity":
		ids = append(ids, r.id)
	default:
		if user, ok := n.of(r.customer, "user_identity", r.user); ok {
			texts, phones = append(texts, user.name, user.key, user.email, user.phone), append(phones, user.phone)
		}
		for _, key := range r.spaces {
			if space, ok := n.of(r.customer, "space", key); ok {
				texts = append(texts, space.name, space.key)
			}
		}
	}
	return matchesText(text, texts, phones, ids)
}

// matchesText is the one place that says how a search text matches.
func matchesText(text string, texts, phones, ids []string) bool {
	has := func(of []string, part string, form func(string) string) bool {
		return slices.ContainsFunc(of, func(s string) bool { return strings.Contains(form(s), part) })
	}
	isPhone, number := true, ""
	everyWord := true
	for _, word := range words(text) {
		phone := digits(word) != "" && strings.Trim(word, "0123456789+-()./") == ""
		everyWord = everyWord && (has(texts, word, plain) || len(word) >= 4 && has(ids, word, plain) || phone && has(phones, digits(word), digits))
	}
	for _, word := range strings.FieldsFunc(plain(text), separates) {
		isPhone = isPhone && digits(word) != "" && strings.Trim(word, "0123456789+-()./") == ""
		number += digits(word)
	}
	number = strings.TrimLeft(number, "0")
	return everyWord || isPhone && len(number) >= 5 && has(phones, number, digits)
}

func separates(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' }

// words are the words of a search text. Those of punctuation alone count only if there are
// no others.
func words(text string) []string {
	all := strings.FieldsFunc(plain(text), separates)
	some := slices.DeleteFunc(slices.Clone(all), func(word string) bool {
		return strings.TrimFunc(word, unicode.IsPunct) == ""
	})
	if len(some) > 0 {
		return some
	}
	return all
}

// plain is a text without case, accents and the like, as far as the texts of this test go.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
	return strings.NewReplacer("ß", "ss", "ł", "l", "ø", "o", "æ", "ae", "ς", "σ").Replace(text)
}

func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

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

// typed makes a search text from the texts of the world.
func (r *random) typed(n *naive) string {
	from := n.all[r.IntN(len(n.all))]
	var parts []string
	for range 1 + r.IntN(2) {
		text := []rune(cmp.Or([]string{from.name, from.key, from.email, from.phone, from.code, from.id}[r.IntN(6)], from.name, from.key))
		if len(text) > 40 {
			text = text[:40]
		}
		start := r.IntN(len(text))
		parts = append(parts, string(text[start:start+1+r.IntN(len(text)-start)]))
	}
	text := strings.Join(parts, []string{" ", ", ", "; ", "\t"}[r.IntN(4)])
	switch r.IntN(8) {
	case 0:
		text = strings.ToUpper(text)
	case 1:
		text = norm.NFD.String(text)
	case 2:
		text = []string{"-", " , ", "...", "541 639", "0541.639", "zzz", "é", "@"}[r.IntN(8)]
	}
	return text
}

// question makes a question about a world.
func (r *random) question(n *naive) question {
	var customers []string
	for key := range n.names {
		customers = append(customers, key)
	}
	slices.Sort(customers)
	q := question{class: []string{"space", "user_identity", "access_grant", "access_grant", "access_grant"}[r.IntN(5)], limit: []int{1, 2, 3, 7, 100, 1000, 0}[r.IntN(7)]}
	if !r.chance(5) {
		q.customer = r.one(customers)
	}
	if r.chance(40) {
		q.customer = r.odd()
	}
	any := n.all[r.IntN(len(n.all))]
	key := func(class string) string {
		for range 20 {
			if of := n.all[r.IntN(len(n.all))]; of.class == class && (q.customer == "" || of.customer == q.customer || r.chance(10)) {
				return of.key
			}
		}
		return r.odd()
	}
	if r.chance(4) {
		for range 1 + r.IntN(3) {
			q.kinds = append(q.kinds, r.one(naiveKinds[q.class]))
		}
	}
	if r.chance(10) {
		q.byKeys = true
		q.keys = []string{}
		for range r.IntN(8) {
			q.keys = append(q.keys, key(q.class))
		}
		if r.chance(4) {
			q.keys = append(q.keys, any.key, r.odd())
		}
	}
	valid := func(of string) bool { return strings.Contains(of, q.class) || r.chance(60) }
	if valid("space") && r.chance(3) {
		q.site = key("space")
		if r.chance(2) {
			for _, s := range n.all {
				if s.kind == "site" && s.customer == q.customer {
					q.site = s.key
				}
			}
		}
	}
	if valid("user_identity access_grant") && r.chance(3) {
		q.space = key("space")
		if r.chance(3) {
			for _, s := range n.all {
				if s.kind == "site" && s.customer == q.customer {
					q.space = s.key
				}
			}
		}
	}
	if valid("access_grant") {
		if r.chance(4) {
			q.user = key("user_identity")
		}
		for _, bound := range []*time.Time{&q.from, &q.until, &q.startsFrom, &q.endUntil} {
			if r.chance(4) {
				*bound = r.bound()
			}
		}
		if !q.from.IsZero() && !q.until.IsZero() && !r.chance(10) {
			q.until = q.from.Add(time.Duration(1 + r.Int64N(1<<(1+r.IntN(55)))))
		}
	}
	if valid("space access_grant") && r.chance(6) {
		q.metadata = r.metadata()
	}
	if r.chance(4) {
		q.text = r.typed(n)
	}
	if r.chance(10) {
		q.keep = keyParts[r.IntN(len(keyParts))]
	}
	q.now = r.bound()
	return q
}

// odd makes a key that no resource can have, or that is not there.
func (r *random) odd() string {
	return []string{"none", "a\x00b", "a\x00", "\x00", "\xff", "\xff\xff", strings.Repeat("k", 513), strings.Repeat("k", 5000), " a", "nowhere"}[r.IntN(10)]
}

// answerOf asks the library, and follows the cursors to the end.
func answerOf(t *testing.T, ws *data.Workspace, q question) answer {
	t.Helper()
	var kinds []data.Kind
	for _, name := range q.kinds {
		k, err := data.ParseKind(name)
		require.NoError(t, err)
		kinds = append(kinds, k)
	}
	query := data.Query{
		CustomerKey: q.customer, Kinds: kinds, ParentSiteKey: q.site, SpaceKey: q.space, UserKey: q.user,
		From: q.from, Until: q.until, StartsFrom: q.startsFrom, EndsUntil: q.endUntil, Text: q.text, Now: q.now, CustomMetadata: q.metadata, Limit: q.limit,
	}
	if q.byKeys {
		query.Keys = q.keys
	}
	if q.keep != "" {
		query.Keep = func(r data.Resource) (bool, error) { return !strings.Contains(r.Ref().Key, q.keep), nil }
	}
	switch q.class {
	case "space":
		return follow(t, q, func(cursor string) (data.Page[data.Space], error) {
			query.Cursor = cursor
			return ws.Spaces(t.Context(), query)
		})
	case "user_identity":
		return follow(t, q, func(cursor string) (data.Page[data.UserIdentity], error) {
			query.Cursor = cursor
			return ws.UserIdentities(t.Context(), query)
		})
	}
	return follow(t, q, func(cursor string) (data.Page[data.AccessGrant], error) {
		query.Cursor = cursor
		return ws.AccessGrants(t.Context(), query)
	})
}

func follow[T data.Resource](t *testing.T, q question, read func(cursor string) (data.Page[T], error)) answer {
	t.Helper()
	out := answer{keys: []string{}}
	for cursor := ""; ; {
		page, err := read(cursor)
		if err != nil {
			return errorOf(t, err)
		}
		for _, r := range page.Items {
			out.keys = append(out.keys, r.Ref().Key)
		}
		limit := cmp.Or(q.limit, 100)
		require.LessOrEqual(t, len(page.Items), limit)
		if cursor = page.Next; cursor == "" {
			return out
		}
		require.Len(t, page.Items, limit, "a page that is not the last is full: %s", q)
		require.False(t, page.Stopped)
	}
}

func errorOf(t *testing.T, err error) answer {
	t.Helper()
	for word, sentinel := range map[string]error{"invalid": validation.ErrInvalid, "customer": data.ErrCustomerNotFound, "resource": data.ErrResourceNotFound} {
		for wrapped := err; wrapped != nil; {
			if wrapped == sentinel { //nolint:errorlint // it is walked by hand
				return answer{err: word}
			}
			unwrapper, ok := wrapped.(interface{ Unwrap() error })
			if !ok {
				break
			}
			wrapped = unwrapper.Unwrap()
		}
	}
	require.NoError(t, err)
	return answer{}
}

// customersOf and referrersOf are the lists that take no Query.
func (n *naive) customersOf(text string) []string {
	keys := []string{}
	for key, name := range n.names {
		if len(words(text)) == 0 || matchesText(text, []string{key, name}, nil, nil) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// referrersOf lists what refers to a resource: by kind, then by key or, for access grants, by
// time.
func (n *naive) referrersOf(class, key string) []string {
	to := slices.IndexFunc(n.all, func(r listed) bool { return r.class == class && r.key == key })
	if to < 0 {
		return nil
	}
	out := []string{}
	for _, of := range []string{"space", "user_identity", "access_grant"} {
		for _, kind := range naiveKinds[of] {
			var found []listed
			for _, r := range n.all {
				if r.kind == kind && r.customer == n.all[to].customer &&
					(class == "space" && (r.site == key || slices.Contains(r.spaces, key)) || class == "user_identity" && r.user == key) {
					found = append(found, r)
				}
			}
			slices.SortFunc(found, func(a, b listed) int {
				if of == "access_grant" {
					return byTime(a, b)
				}
				return strings.Compare(a.key, b.key)
			})
			for _, r := range found {
				out = append(out, r.kind+" "+r.key)
			}
		}
	}
	return out
}

// TestLists_AgreeWithNaiveLists asks random questions about random workspaces. The
// environment variables DATA_QUERIES and DATA_QUERIES_SEED change how many, and repeat a run.
func TestLists_AgreeWithNaiveLists(t *testing.T) {
	t.Parallel()
	queries := 1500 / raceSlowness
	if s := os.Getenv("DATA_QUERIES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		queries = n
	}
	seed := rand.Uint64()
	if s := os.Getenv("DATA_QUERIES_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	const perWorld = 250
	backends.Each(t, func(t *testing.T, store storage.Store) {
		t.Logf("DATA_QUERIES_SEED=%d DATA_QUERIES=%d", seed, queries)
		nonEmpty := map[string]int{}
		// A world may have nothing of a class, so more questions are asked if too few had an answer.
		goOn := func(asked int) bool {
			for class := range naiveKinds {
				if nonEmpty[class] <= queries/60 && asked < 20*queries {
					return true
				}
			}
			return asked < queries
		}
		for asked := 0; goOn(asked); {
			r := &random{Rand: rand.New(rand.NewPCG(seed, uint64(asked)))}
			ws := workspaceOf(store, uuid.New())
			n := r.world(t, ws)
			for i := 0; i < perWorld && goOn(asked); i, asked = i+1, asked+1 {
				switch r.IntN(12) {
				case 0:
					text, limit := r.typed(n), 1+r.IntN(3)
					if r.chance(3) {
						text = ""
					}
					got := []string{}
					for q := (data.CustomerQuery{Text: text, Limit: limit}); ; {
						page, err := ws.Customers(t.Context(), q)
						require.NoError(t, err)
						for _, c := range page.Items {
							got = append(got, c.Key)
							require.Equal(t, n.names[c.Key], c.Name)
						}
						if q.Cursor = page.Next; q.Cursor == "" {
							break
						}
						require.Len(t, page.Items, limit)
					}
					require.Equal(t, n.customersOf(text), got, "seed %d, query %d: customers, text %q, limit %d", seed, asked, text, limit)
				case 1:
					to := n.all[r.IntN(len(n.all))]
					kind, err := data.ParseKind(to.class)
					require.NoError(t, err)
					limit := []int{1, 2, 3, 7, 100}[r.IntN(5)]
					got := []string{}
					for cursor := ""; ; {
						page, err := ws.Referrers(t.Context(), data.Ref{Kind: kind, Key: to.key}, limit, cursor)
						require.NoError(t, err)
						for _, ref := range page.Items {
							got = append(got, ref.String())
						}
						if cursor = page.Next; cursor == "" {
							break
						}
						require.Len(t, page.Items, limit)
					}
					require.Equal(t, n.referrersOf(to.class, to.key), got, "seed %d, query %d: referrers of %s %q, limit %d", seed, asked, to.kind, to.key, limit)
				default:
					q := r.question(n)
					want, got := n.ask(q), answerOf(t, ws, q)
					require.Equal(t, want, got, "seed %d, query %d: %s", seed, asked, q)
					if len(want.keys) > 0 {
						nonEmpty[q.class]++
					}
				}
			}
		}
		for class := range naiveKinds {
			require.Greater(t, nonEmpty[class], queries/60, "enough questions about a %s have an answer", class)
		}
	})
}
