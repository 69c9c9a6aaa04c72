package proofs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/base64url"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage"
)

const webDir = "../../portal/web"

// everyPage extracts the paths of the pages, and the names of query parameters and form fields, from the source of
// package web, so that none is missed.
func everyPage(t *testing.T) (paths, asked, posted []string) {
	t.Helper()
	files, err := filepath.Glob(webDir + "/*.go")
	require.NoError(t, err)
	names := func(source []byte, pattern string) (out []string) {
		for _, found := range regexp.MustCompile(pattern).FindAllSubmatch(source, -1) {
			for _, part := range found[1:] {
				out = append(out, regexp.MustCompile(`[a-z_]+[:.]?`).FindAllString(string(part), -1)...)
			}
		}
		return out
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		asked = append(asked, names(source, `(?:asked|Query\(\))\.(?:Get|Has)\("([^"]+)"|(?m)^\s*(?:const )?\w+Param\s*= "([a-z_]+)"`)...)
		posted = append(posted, names(source, `(?m)(?:posted|PostForm)\.(?:Get|Has)\("([^"]+)"|PostForm\["([^"]+)"\]|\{"([a-z_]+)", "[a-z_.]+"\}|(?:^\t|^const )\w+(?:Field|Input|Prefix)\s+= "([a-z_]+[:.]?)"`)...)
		if filepath.Base(file) == "pages.go" {
			for _, found := range regexp.MustCompile(`\t(?:page[A-Z]\w*|themePath)\s*= "([^"]*)"`).FindAllSubmatch(source, -1) {
				paths = append(paths, string(found[1]))
			}
		}
	}
	slices.Sort(asked)
	slices.Sort(posted)
	asked, posted = slices.Compact(asked), slices.Compact(posted)
	require.Greater(t, len(paths), 25)
	require.Subset(t, asked, strings.Fields("key guest space site cursor q state provider account show order focus"))
	require.Subset(t, posted, strings.Fields("space parent_site_key kind name starts_at guest guest_name map set_locale setting: token zone shown. choose. undecided planned"))
	return paths, asked, posted
}

// formToken matches the random token of a form.
var formToken = regexp.MustCompile(`name="token" value="[0-9A-Z]+"`)

// derivedKey matches the key of a resource that was created with a form. createdAttempt matches the id of an action attempt.
var (
	derivedKey     = regexp.MustCompile(`portal-[0-9a-z]{24}`)
	createdAttempt = regexp.MustCompile(`attempt=[0-9a-f-]{36}`)
)

// noticeCookie matches the cookie of a notice, which can contain the name in a form. shortened matches a long name in it.
var (
	noticeCookie = regexp.MustCompile(`__Host-portal-notice-[0-9a-f]+=[A-Za-z0-9_-]+`)
	shortened    = regexp.MustCompile(`"[^"]*…"`)
)

// decodeNotice decodes the cookie of a notice in an answer.
func decodeNotice(answer string) string {
	return noticeCookie.ReplaceAllStringFunc(answer, func(cookie string) string {
		name, value, _ := strings.Cut(cookie, "=")
		decoded, ok := base64url.Decode(value)
		if !ok {
			return cookie
		}
		return name + "=" + shortened.ReplaceAllString(string(decoded), `"…"`)
	})
}

// likely matches attempts with an identifier that belongs in the place. The test makes more of these attempts.
var likely = regexp.MustCompile(`(?:key|guest|space|site) .* key$|cookie token|portal portal's short name|account account id|device device id|map |cursor cursor|setting: a setting|^link |\?id .*device id$|\?attempt action attempt id$`)

// hostSections implements web.Automations. Each customer has a setting, whose id contains its word.
type hostSections struct{ calls []string }

func wordOf(s *portal.Session) string { return strings.TrimPrefix(s.Portal().CustomerKey, "customer-") }

func (o *hostSections) Settings(_ context.Context, s *portal.Session) ([]web.Setting, error) {
	return []web.Setting{{Name: "setting-" + wordOf(s), Group: web.GroupAccess, Label: "Setting", Value: "false"}}, nil
}

func (o *hostSections) Save(_ context.Context, _ *portal.Session, values map[string]string) (map[string]string, error) {
	for name := range values {
		o.calls = append(o.calls, name)
	}
	return nil, nil
}

// attempt is a request of the attacker. by describes the place of the identifier.
type attempt struct {
	by     string
	method string
	path   string
	query  url.Values
	form   url.Values
	cookie func(name, value string) (string, string)
}

func with(of url.Values, name, value string) url.Values {
	out := url.Values{}
	for n, values := range of {
		out[n] = values
	}
	out.Set(name, value)
	return out
}

// attempts returns functions that put an identifier into each place of a request to each page: query parameters, form
// fields, the name of the portal, the path, the code of a link, and the cookie and its name.
func attempts(home string, paths, asked, posted []string) (out []func(id string) attempt) {
	key := func(kind data.Kind) string { return keyOf(attacker, kind) }
	form := url.Values{
		"name": {"New"}, "starts_at": {"2026-04-01T15:00"}, "ends_at": {"2026-04-02T11:00"}, "preferred_code": {"4321"}, "guest_name": {"New"},
		"guest_email": {"new@mail.example"}, "email_address": {"new@mail.example"}, "space": {key(data.KindRoom)},
		"parent_site_key": {key(data.KindSite)}, "kind": {"room"}, "setting:setting-" + attacker: {"1"}, "map": {deviceOf(attacker).String() + " " + key(data.KindRoom)}, "until": {"2026-04-02T11:00"},
	}
	for _, path := range paths {
		own := url.Values{"key": {key(data.KindSpace)}, "provider": {"simulated"}, "account": {accountOf(attacker).String()}, "device": {deviceOf(attacker).String()}, "id": {deviceOf(attacker).String()}, "do": {"unlock"}}
		switch section, _, _ := strings.Cut(path, "/"); section {
		case "reservations":
			own.Set("key", key(data.KindBooking))
		case "guests":
			own.Set("key", key(data.KindGuest))
		case "staff":
			own.Set("key", key(data.KindStaffMember))
		}
		form := form
		if slices.Contains([]string{"devices/command", "reservations/code", "staff/code", "stay/unlock"}, path) {
			form = with(form, "token", "0123456789abcdef")
		}
		for _, name := range asked {
			out = append(out, func(id string) attempt {
				return attempt{"?" + name, http.MethodGet, home + path, with(own, name, id), nil, nil}
			}, func(id string) attempt {
				return attempt{"?" + name, http.MethodPost, home + path, with(own, name, id), form, nil}
			})
		}
		for _, name := range posted {
			out = append(out, func(id string) attempt {
				switch {
				case strings.HasSuffix(name, "."): // a prefix of the names of several inputs
					return attempt{name, http.MethodPost, home + path, own, with(form, name+"name", id), nil}
				case strings.HasSuffix(name, ":"):
					return attempt{name, http.MethodPost, home + path, own, with(form, name+id, "1"), nil}
				}
				return attempt{name, http.MethodPost, home + path, own, with(form, name, id), nil}
			})
		}
		out = append(out, func(id string) attempt {
			return attempt{"portal", http.MethodGet, "/p/" + url.PathEscape(id) + "/" + path, own, nil, nil}
		}, func(id string) attempt {
			return attempt{"cookie", http.MethodGet, home + path, own, nil, func(name, _ string) (string, string) { return name, id }}
		}, func(id string) attempt {
			return attempt{"portal and cookie's name", http.MethodGet, "/p/" + url.PathEscape(id) + "/" + path, own, nil,
				func(_, value string) (string, string) { return "__Host-portal-" + url.PathEscape(id), value }}
		}, func(id string) attempt {
			return attempt{"below", http.MethodGet, home + path + "/" + url.PathEscape(id), own, nil, nil}
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		out = append(out, func(id string) attempt {
			return attempt{"link", method, "/" + url.PathEscape(id), nil, url.Values{}, nil}
		},
			func(id string) attempt {
				return attempt{"asset", method, "/assets/" + url.PathEscape(id), nil, url.Values{}, nil}
			})
	}
	return out
}

// refusals contains the statuses of the pages that refuse the requests with the attacker's own identifiers: its device is a lock and
// no thermostat, no connection of an account waits for the browser to come back, its portal is neither a connect webview nor a guest
// link, its lock has no access codes, and it has changed nothing that can be undone. The calls of sessions cover undoing.
var refusals = map[string]string{
	"GET devices/climate": "404", "POST devices/climate": "404", "POST connect/back": "410", "GET connect/done": "404", "POST connect/cancel": "404",
	"POST reservations/code": "409", "POST staff/code": "409", "GET stay": "403", "GET stay/unlock": "403", "POST stay/unlock": "403",
	"POST undo": "400",
}

// A browser with an open portal requests every page with every identifier of another customer in every place.
func TestIsolation_PagesWithForeignIdentifiers_FindNothing(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		tryPages(t, newTenants(t, store))
	})
}

// tryPages makes one of every 241 likely attempts and one of every 2401 others, or all attempts on the memory store if PROOFS_ISOLATION
// is "all". An attempt that sends a command waits some seconds for its result, because no service carries it out.
func tryPages(t *testing.T, s *tenants) {
	ofLikely, ofOthers := 241*raceSlowness, 2401*raceSlowness
	if strings.HasSuffix(t.Name(), "/memory") {
		ofLikely, ofOthers = strideOf(ofLikely), strideOf(ofOthers)
	}
	paths, asked, posted := everyPage(t)
	o := &hostSections{}
	pages, err := web.New(s.portals, web.Options{Automations: o})
	require.NoError(t, err)
	code := portal.Code(s.link)
	first, opened := httptest.NewRecorder(), httptest.NewRecorder()
	pages.ServeHTTP(first, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+code, nil))
	again := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+code, nil)
	again.AddCookie(first.Result().Cookies()[0])
	pages.ServeHTTP(opened, again)
	require.Equal(t, http.StatusSeeOther, opened.Code)
	cookie := opened.Result().Cookies()[0]
	home := "/p/" + strings.TrimPrefix(cookie.Name, "__Host-portal-") + "/"
	s.remember(t)
	address := 0
	ask := func(a attempt) string {
		target := a.path
		if a.query != nil {
			target += "?" + a.query.Encode()
		}
		r := httptest.NewRequestWithContext(t.Context(), a.method, target, strings.NewReader(a.form.Encode()))
		address++ // otherwise the rate limit would refuse most attempts
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", address>>16, address>>8&255, address&255)
		if a.method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		name, value := cookie.Name, cookie.Value
		if a.cookie != nil {
			name, value = a.cookie(name, value)
		}
		r.AddCookie(&http.Cookie{Name: name, Value: value})
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, r)
		require.NotEqual(t, http.StatusInternalServerError, w.Code, "%s %s", a.method, target)
		answer := fmt.Sprint(w.Code, w.Header(), formToken.ReplaceAllString(w.Body.String(), "name=\"token\""))
		if s.shows != nil { // a redirect to the same page repeats the query
			answer = strings.ReplaceAll(answer, a.query.Encode(), "query")
		}
		if a.by == "token" { // the key of the new resource is a hash of the token
			answer = derivedKey.ReplaceAllString(answer, "portal-derived")
		}
		return decodeNotice(createdAttempt.ReplaceAllString(answer, "attempt="))
	}
	for _, at := range attempts(home, paths, []string{"unused"}, []string{"unused"}) { // requests with the attacker's own identifiers succeed
		if a := at("x"); strings.Contains(a.by, "unused") {
			s.try(t, a.by, "x", func() string {
				answer := ask(a)
				want, refused := refusals[a.method+" "+strings.TrimPrefix(a.path, home)]
				switch {
				case s.shows != nil && s.pages[a.method+" "+strings.TrimPrefix(a.path, home)] == "":
					want = "(403|404|405)"
				case s.shows != nil:
					want = s.pages[a.method+" "+strings.TrimPrefix(a.path, home)]
				case !refused:
					want = "(200|303|405)"
				}
				require.Regexp(t, "^"+want, answer, "%s %s", a.method, a.path)
				if s.shows != nil {
					s.requireOnlyShown(t, a.method+" "+a.path, answer)
				}
				return answer
			})
		}
	}
	before := s.exports(t)
	rng := rand.New(rand.NewPCG(seedOf(t), 0))
	tried, next := 0, map[bool]int{true: rng.IntN(ofLikely), false: rng.IntN(ofOthers)}
	meantFor := map[string]bool{} // by place and identifier
	for _, at := range attempts(home, paths, asked, posted) {
		absent, place := map[string]string{}, at("").by
		for _, other := range s.others {
			pair := place + " " + other.what
			meant, known := meantFor[pair]
			if !known {
				meant = likely.MatchString(pair)
				meantFor[pair] = meant
			}
			if next[meant]--; next[meant] >= 0 {
				continue
			}
			next[meant] = map[bool]int{true: ofLikely, false: ofOthers}[meant] - 1
			a := at(other.id)
			if place == "link" && other.what == "code" {
				continue // a code opens its portal
			}
			by := fmt.Sprintf("%s %s %s", a.method, a.path, a.by)
			do := func(id string) string { return s.try(t, by, id, func() string { return ask(at(id)) }) }
			tried++
			answer := do(other.id)
			if _, known := absent[other.absent]; !known {
				absent[other.absent] = do(other.absent)
			}
			s.requireSameAnswer(t, by, other, answer, absent[other.absent])
		}
	}
	for _, arg := range o.calls {
		require.NotContains(t, []string{victim, foreigner}, arg[max(0, len(arg)-len(victim)):], "the host was called with an identifier of another customer")
	}
	require.Equal(t, before, s.exports(t))
	t.Logf("%d pages, %d names in queries and %d in forms, %d identifiers, %d requests", len(paths), len(asked), len(posted), len(s.others), tried)
}
