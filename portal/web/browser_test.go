package web_test

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// visitor is a browser of a test: it keeps cookies, and follows nothing by itself.
type clientPrefix struct {
	t       *testing.T
	f       *fixture
	cookies map[string]string
	header  http.Header
	from    string
	home    string
}

func (f *fixture) visitor(t *testing.T) *clientPrefix {
	return &clientPrefix{t: t, f: f, cookies: map[string]string{}, header: http.Header{}, from: "192.0.2.1:1234"}
}

// answer is a response and its body.
type answer struct {
	*http.Response
	body string
}

func (v *clientPrefix) do(method, path string, form url.Values) answer {
	v.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	u, err := url.Parse(path)
	require.NoError(v.t, err)
	r := httptest.NewRequestWithContext(v.t.Context(), method, u.RequestURI(), body)
	r.Host, r.RemoteAddr = "portal.example", v.from
	for name, values := range v.header {
		r.Header[name] = values
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	v.f.pages.ServeHTTP(w, r)
	out := w.Result()
	for _, c := range out.Cookies() {
		if v.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return answer{out, w.Body.String()}
}

func (v *clientPrefix) get(path string) answer { v.t.Helper(); return v.do(http.MethodGet, path, nil) }

func (v *clientPrefix) post(path string, pairs ...string) answer {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return v.do(http.MethodPost, path, form)
}

// follow gets what a redirect leads to, and so on.
func (v *clientPrefix) follow(a answer) answer {
	v.t.Helper()
	for range 5 {
		if a.StatusCode != http.StatusSeeOther {
			return a
		}
		to := a.Header.Get("Location")
		require.True(v.t, strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//"), "leads elsewhere: %s", to)
		if i := strings.Index(to, "/p/"); i >= 0 {
			v.home = to[:i+len("/p/")+13]
		}
		a = v.get(to)
	}
	require.Fail(v.t, "it leads in a circle")
	return a
}

// open opens a link.
func (v *clientPrefix) open(link string) answer {
	v.t.Helper()
	return v.follow(v.get(link))
}

var (
	mainForm    = regexp.MustCompile(`(?s)<main.*?<form method="post"[^>]*>(.*?)</form>`)
	formControl = regexp.MustCompile(`(?s)<input ([^>]*)>|<select ([^>]*)>(.*?)</select>`)
	option      = regexp.MustCompile(`<option ([^>]*)>`)
	attribute   = regexp.MustCompile(`([a-z_-]+)(?:="([^"]*)")?`)
)

func attributes(tag string) map[string]string {
	out := map[string]string{}
	for _, found := range attribute.FindAllStringSubmatch(tag, -1) {
		out[found[1]] = html.UnescapeString(found[2])
	}
	return out
}

// sends returns what a browser sends for the first form of a page that nobody has touched.
func sends(t *testing.T, a answer) url.Values {
	t.Helper()
	form := mainForm.FindStringSubmatch(a.body)
	require.NotNil(t, form, "a page with a form: %d %s", a.StatusCode, a.body)
	out := url.Values{}
	for _, found := range formControl.FindAllStringSubmatch(form[1], -1) {
		if found[2] != "" {
			chosen := ""
			for i, o := range option.FindAllStringSubmatch(found[3], -1) {
				if _, selected := attributes(o[1])["selected"]; selected || i == 0 {
					chosen = attributes(o[1])["value"]
				}
			}
			out.Add(attributes(found[2])["name"], chosen)
			continue
		}
		input := attributes(found[1])
		if _, checked := input["checked"]; !checked && (input["type"] == "checkbox" || input["type"] == "radio") {
			continue
		}
		out.Add(input["name"], input["value"])
	}
	return out
}

// clone returns a copy of what a form sends, with the values of some fields.
func clone(form url.Values, pairs ...string) url.Values {
	out := maps.Clone(form)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = []string{pairs[i+1]}
	}
	return out
}

func (v *clientPrefix) submit(path string, form url.Values) answer {
	v.t.Helper()
	return v.do(http.MethodPost, path, form)
}

// fields are the values of the inputs of a page.
var fields = regexp.MustCompile(`<input id="f-[a-z_]+" name="([a-z_]+)" type="[a-z-]+" value="([^"]*)"`)

func valuesOf(body string) map[string]string {
	out := map[string]string{}
	for _, found := range fields.FindAllStringSubmatch(body, -1) {
		out[found[1]] = found[2]
	}
	return out
}
