package web_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

const (
	isolateFirst = '\u2066' // LRI; RLI and FSI follow
	isolateLast  = '\u2068'
	isolateEnd   = '\u2069' // PDI
)

// reorderingText returns a text that would reorder the text around it without isolation. It tries to end its isolate and
// to begin another one, and has too many combining marks.
func reorderingText(field string) string {
	text := "\u2069\u202e" + field + " عمر\u2067x" + strings.Repeat("\u0301", 10) + "\u2069\u2069\u2066"
	if field == "meta" { // a metadata key has at most 40 characters
		return text
	}
	return text + strings.Repeat("long", 25)
}

// requireIsolated checks that the isolates in a text are in pairs, and that there are no right-to-left and control
// characters outside of them.
func requireIsolated(t *testing.T, text string, where ...any) {
	t.Helper()
	depth := 0
	for _, r := range text {
		switch {
		case r >= isolateFirst && r <= isolateLast:
			depth++
		case r == isolateEnd:
			depth--
			require.GreaterOrEqual(t, depth, 0, "%v: ends an isolate that it did not begin: %+q", where, text)
		case depth == 0:
			require.False(t, r >= '\u202a' && r <= '\u202e' || unicode.In(r, unicode.Arabic, unicode.Hebrew), "%v: %+q is outside of an isolate: %+q", where, r, text)
		}
	}
	require.Zero(t, depth, "%v: begins an isolate that it does not end: %+q", where, text)
}

// requireIsolatedPage checks every visible text and attribute of a page with requireIsolated. The content of a bdi
// element counts as isolated if it cannot end that isolate. It returns the number of bdi elements.
func requireIsolatedPage(t *testing.T, path, body string) (isolates int) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return isolates
		}
		require.NoError(t, err, path)
		switch token := token.(type) {
		case xml.StartElement:
			attributes := map[string]string{}
			for _, a := range token.Attr {
				attributes[a.Name.Local] = a.Value
			}
			for name, value := range attributes {
				switch {
				case slices.Contains(strings.Fields("href action src id for name aria-describedby"), name):
				case name == "value" && slices.Contains(strings.Fields("hidden checkbox radio date datetime-local"), attributes["type"]), name == "value" && slices.Contains(strings.Fields("option button"), token.Name.Local):
				case name == "value" && token.Name.Local == "input":
					require.Equal(t, "auto", attributes["dir"], "%s: %v", path, token)
				default:
					requireIsolated(t, value, path, token.Name.Local, name)
				}
			}
			open = append(open, token.Name.Local)
			if token.Name.Local == "bdi" {
				isolates++
			}
		case xml.EndElement:
			require.Equal(t, open[len(open)-1], token.Name.Local, path)
			open = open[:len(open)-1]
		case xml.CharData:
			text := string(token)
			if slices.Contains(open, "bdi") {
				text = string('\u2068') + text + string('\u2069') // a bdi element isolates its content
			}
			requireIsolated(t, text, path, open)
			marks := 0
			for _, r := range text {
				if marks++; !unicode.Is(unicode.Mn, r) {
					marks = 0
				}
				require.LessOrEqual(t, marks, 6, "%s: %+q", path, text)
			}
		}
	}
}

// reorderingHost provides sections with reordering texts.
type reorderingHost struct{ markedHost }

func TestPages_TextsWithBidiControls_AreIsolated(t *testing.T) {
	t.Parallel()
	f := setupProviders(t, memory.New(), "https://portal.example", web.Options{Automations: reorderingHost{}}, markedProvider{text: reorderingText})
	d, _ := dataWithTexts(f.clock.Now(), reorderingText, func(field string) string { return field + " عمر" }) // keys cannot contain invisible characters
	c := portal.Config{}
	c.Features.Configure.AllowAccessAutomationRuleCustomization = true
	c.Features.Manage.DeviceManagementConfirmation = portal.Confirmation{
		Title: reorderingText("confirm.title"), Body: reorderingText("confirm.body"), ConfirmButtonLabel: reorderingText("confirm.button"),
	}
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: &d, Config: c})
	require.NoError(t, err)
	click, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: d.CustomerKey, MaxUses: 1})
	require.NoError(t, err)
	b := f.newBrowser(t)
	require.Equal(t, http.StatusOK, b.open(p.URL.Reveal()).StatusCode)
	isolates := 0
	look := func(path string, a response) {
		require.Less(t, a.StatusCode, 500, path)
		if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			isolates += requireIsolatedPage(t, path, a.body)
		}
	}
	look("click", f.newBrowser(t).get(click.URL.Reveal()))
	f.lookAtDevices(t, b, d.CustomerKey, reorderingText, look)
	look("configure", b.post(b.home+"configure", "setting:"+mark("switch"), "1", "setting:"+mark("choice"), mark("two")))
	conflict := b.post(b.home+"configure", "shown.setting:"+mark("choice"), "stale", "setting:"+mark("choice"), mark("two"))
	require.Equal(t, http.StatusConflict, conflict.StatusCode)
	look("conflict", conflict)
	require.Greater(t, b.walk(reorderingText, look), 50)
	require.Greater(t, isolates, 400)
	look("end", b.get(b.home+"end"))
	look("ended", b.post(b.home+"end"))
}

func TestPages_LeftToRightNames_HaveNoInvisibleCharacters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	for _, path := range []string{"", "reservations", "reservations/view?key=r1", "spaces/view?key=101", "staff/view?key=eve"} {
		require.NotContains(t, b.get(b.home+path).body, "\u2068", path)
	}
	require.Contains(t, b.get(b.home+"spaces/view?key=101").body, "<title>Room 101 · Customer portal</title>")
}

func TestPages_InitialOfCustomer_KeepsCombiningMarks(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"acme": "A", "e\u0301cole": "E\u0301", "\u202eomar": "O", "عمر": "ع", "\u0301x": "X", "1st": "1"} {
		f := newFixture(t)
		d := data.CustomerData{CustomerKey: "acme", CustomerName: name}
		d.Add(data.Room("r", "R"))
		p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: &d, TTL: time.Hour})
		require.NoError(t, err)
		require.Contains(t, f.newBrowser(t).open(p.URL.Reveal()).body, `translate="no">`+want+`</span>`, "%+q", name)
	}
}
