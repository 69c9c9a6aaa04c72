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

// browser is the browser of a visitor. It keeps cookies and does not follow redirects by itself.
type browser struct {
	t          *testing.T
	fixture    *fixture
	cookies    map[string]string
	header     http.Header
	remoteAddr string
	home       string
}

func (f *fixture) newBrowser(t *testing.T) *browser {
	return &browser{t: t, fixture: f, cookies: map[string]string{}, header: http.Header{}, remoteAddr: "192.0.2.1:1234"}
}

// response is a response with its body.
type response struct {
	*http.Response
	body string // with a plain space in times, which tests can write
	size int    // of the body that was sent
}

var plainTimes = strings.NewReplacer("\u00a0AM", " AM", "\u00a0PM", " PM")

func (b *browser) do(method, path string, form url.Values) response {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	u, err := url.Parse(path)
	require.NoError(b.t, err)
	r := httptest.NewRequestWithContext(b.t.Context(), method, u.RequestURI(), body)
	r.Host, r.RemoteAddr = "portal.example", b.remoteAddr
	for name, values := range b.header {
		r.Header[name] = values
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.fixture.pages.ServeHTTP(w, r)
	out := w.Result()
	for _, c := range out.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return response{out, plainTimes.Replace(w.Body.String()), w.Body.Len()}
}

func (b *browser) get(path string) response { b.t.Helper(); return b.do(http.MethodGet, path, nil) }

func (b *browser) post(path string, pairs ...string) response {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

// follow follows redirects and returns the first response that is not a redirect.
func (b *browser) follow(a response) response {
	b.t.Helper()
	for range 5 {
		if a.StatusCode != http.StatusSeeOther {
			return a
		}
		to := a.Header.Get("Location")
		require.True(b.t, strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//"), "leads elsewhere: %s", to)
		if i := strings.Index(to, "/p/"); i >= 0 {
			b.home = to[:i+len("/p/")+13]
		}
		a = b.get(to)
	}
	require.Fail(b.t, "it leads in a circle")
	return a
}

// open opens a link and follows its redirects.
func (b *browser) open(link string) response {
	b.t.Helper()
	return b.follow(b.get(link))
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

// formValues returns what a browser posts for the first form of an untouched page.
func formValues(t *testing.T, a response) url.Values {
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

// withValues returns a copy of form with the values of some fields replaced.
func withValues(form url.Values, pairs ...string) url.Values {
	out := maps.Clone(form)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = []string{pairs[i+1]}
	}
	return out
}

func (b *browser) submit(path string, form url.Values) response {
	b.t.Helper()
	return b.do(http.MethodPost, path, form)
}

// textInput matches the text inputs of a page.
var textInput = regexp.MustCompile(`<input id="f-[a-z_]+" name="([a-z_]+)" type="[a-z-]+" value="([^"]*)"`)

func inputValues(body string) map[string]string {
	out := map[string]string{}
	for _, found := range textInput.FindAllStringSubmatch(body, -1) {
		out[found[1]] = found[2]
	}
	return out
}
