package web_test

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

var contactLinks = regexp.MustCompile(`href="((?:tel|mailto):[^"]*)"`)

// contactPages opens a portal with a guest, a staff member and a reservation. The function that it returns sets the contact
// data of both, and returns the tel and mailto links on the pages of all three, which must be the same. An empty text leaves
// the data unchanged.
func contactPages(t *testing.T) func(email, phone string) []string {
	t.Helper()
	f := newFixture(t)
	push := func(email, phone string) {
		d := data.CustomerData{CustomerKey: "acme"}
		guest, member := data.Guest("ada", "Ada"), data.StaffMember("eve", "Eve")
		guest.EmailAddress, guest.PhoneNumber = email, phone
		member.EmailAddress, member.PhoneNumber = email, phone
		d.Add(data.Room("101", "Room 101"), guest, member, data.Reservation("r1", guest.Ref(), data.Refs(data.KindRoom, "101")...))
		_, err := f.ws().Push(t.Context(), d)
		require.NoError(t, err)
	}
	push("", "")
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	return func(email, phone string) (want []string) {
		push(email, phone)
		for i, path := range []string{"guests/view?key=ada", "staff/view?key=eve", "reservations/view?key=r1"} {
			body := b.get(b.home + path).body
			require.NotContains(t, body, "ZgotmplZ")
			var got []string
			for _, found := range contactLinks.FindAllStringSubmatch(body, -1) {
				got = append(got, html.UnescapeString(found[1]))
			}
			if i == 0 {
				want = got
			}
			require.Equal(t, want, got, path)
			require.Contains(t, html.UnescapeString(body), strings.TrimSpace(email)) // shown with and without a link
		}
		return want
	}
}

func TestPages_PhoneNumber_IsATelURIOrNoLink(t *testing.T) {
	t.Parallel()
	links := contactPages(t)
	for phone, want := range map[string]string{
		"(541)639-5376x7242": "tel:5416395376;ext=7242", "+1 (541) 639-5376 ext. 7242": "tel:+15416395376;ext=7242", "541.639.5376, Extension 7242": "tel:5416395376;ext=7242",
		"+1-541-639-5376;ext=7242": "tel:+15416395376;ext=7242", "541 639 5376 #42": "tel:5416395376;ext=42", "tel:+351215550101": "tel:+351215550101",
		"+351 21 555 0101": "tel:+351215550101", "+44 (0)20 7946 0958": "tel:+442079460958", "030/123456": "tel:030123456", "112": "tel:112",
		"+49 30 123456 Durchwahl 7": "tel:+4930123456;ext=7", "+33 1 23 45 67 89 poste 12": "tel:+33123456789;ext=12", "+7 495 123-45-67 доб. 890": "tel:+74951234567;ext=890",
		"\u202a+1 541\u00a0639\u20115376\u202c": "tel:+15416395376", "＋１ ５４１ ６３９ ５３７６": "tel:+15416395376", "٠١٢٣٤٥٦٧٨٩": "tel:0123456789",

		"N/A": "", "n/a": "", "-": "", "none": "", "unknown": "", "12": "", "0000000000": "", "1-800-FLOWERS": "", "555 1234567 / 555 7654321": "", "555 1234567, 555 7654321": "",
		"1234567890123456": "", "call 555 1234": "", "+": "", "x7242": "", "555+1234567": "", "++15416395376": "", "javascript:alert(1)": "", "5551234;phone-context=evil": "", "2030-06-16T15:00": "",
	} {
		got := links("", phone)
		if want == "" {
			require.Empty(t, got, "%q", phone)
			continue
		}
		require.Equal(t, []string{want}, got, "%q", phone)
	}
}

func TestPages_EmailAddress_IsAMailtoURIOrNoLink(t *testing.T) {
	t.Parallel()
	links := contactPages(t)
	for email, want := range map[string]string{
		"ada@mail.example": "mailto:ada@mail.example", "ada+trip@mail.example": "mailto:ada+trip@mail.example", "o'neil@mail.example": "mailto:o%27neil@mail.example",
		"a?bcc=eve@mail.example": "mailto:a%3Fbcc%3Deve@mail.example", "a&subject=x@mail.example": "mailto:a%26subject%3Dx@mail.example", "100%25@mail.example": "mailto:100%2525@mail.example",
		"a/b#c@mail.example": "mailto:a%2Fb%23c@mail.example", "jörg@mail.example": "mailto:j%C3%B6rg@mail.example",

		"N/A": "", "none": "", "ada@mail.example, eve@mail.example": "", "Ada <ada@mail.example>": "", "ada@mail.example?subject=x": "", "ada": "", "@": "", "ada@mail.example\u202e": "",
	} {
		found := links(email, "")
		if want == "" {
			require.Empty(t, found, "%q", email)
			continue
		}
		require.Equal(t, []string{want}, found, "%q", email)
		u, err := url.Parse(want)
		require.NoError(t, err)
		got, err := url.PathUnescape(u.Opaque)
		require.NoError(t, err)
		require.Equal(t, email, got)
	}
}
