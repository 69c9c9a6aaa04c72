package web_test

import (
	"context"
	"html"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// mark returns markup that contains the name of a field.
func mark(field string) string { return markKey(field) + "\u202e𝕬" }

// markKey returns mark for a key, which cannot contain invisible characters.
func markKey(field string) string { return `"'><svg/onload=` + field + `>` }

// markedData returns a customer with markup in every text and key.
func markedData(now time.Time) (d data.CustomerData, fields []string) {
	return dataWithTexts(now, mark, markKey)
}

// dataWithTexts returns a customer whose texts and keys come from the functions text and key, and the names of these
// fields.
func dataWithTexts(now time.Time, text, key func(field string) string) (d data.CustomerData, fields []string) {
	m := func(field string) string {
		fields = append(fields, field)
		if strings.HasSuffix(field, "_key") {
			return key(field)
		}
		return text(field)
	}
	d.CustomerKey = key("customer_key") // no page shows it
	d.CustomerName = m("customer_name")
	site := data.Site(m("site_key"), m("site.name"))
	room := data.Room(m("room_key"), m("room.name")).In(site.Key)
	plain := data.PlainSpace(m("space_key"), m("space.name"))
	plain.Details.Address = m("space.address")
	listing := data.PropertyListing(m("listing_key"), m("listing.name"))
	listing.CustomMetadata = data.CustomMetadata{"note": m("listing.metadata")}
	guest := data.Guest(m("guest_key"), m("guest.name"))
	guest.EmailAddress, guest.PhoneNumber = m("guest.email"), m("guest.phone")
	staff := data.StaffMember(m("staff_key"), m("staff.name"), room.Ref())
	staff.EmailAddress, staff.PhoneNumber = m("staff.email"), m("staff.phone")
	stay := data.Reservation(m("reservation_key"), guest.Ref(), room.Ref(), plain.Ref()).During(now, now.Add(48*time.Hour))
	stay.Name, stay.PreferredCode = m("reservation.name"), m("code")
	stay.CustomMetadata = data.CustomMetadata{m("meta"): m("reservation.metadata")}
	unnamed := data.Booking(m("booking_key"), data.Ref{}, room.Ref()).During(now, now.Add(time.Hour))
	idle := data.Room(m("idle_key"), m("idle.name")).In(site.Key)
	d.Add(site, idle, room, plain, listing, guest, staff, stay, unnamed)
	return d, fields
}

// markedProvider is a provider whose texts are made by text. Any answers connect an account.
type markedProvider struct {
	device.Provider
	text func(string) string
}

func (p markedProvider) Info() device.Info {
	return device.Info{Key: "marked", Name: p.text("provider")}
}

func (p markedProvider) Connect(_ context.Context, s device.Step) (device.Pane, error) {
	if len(s.Answers) > 0 {
		return device.Pane{Done: &device.Account{ID: "marked", Name: p.text("account")}}, nil
	}
	return device.Pane{Form: &device.Form{Message: p.text("message"), Fields: []device.Field{
		{Name: p.text("field"), Label: p.text("label"), Help: p.text("help"), Kind: device.FieldText, Value: p.text("value")},
		{Name: "choice", Label: p.text("choice"), Optional: true, Kind: device.FieldChoice, Options: []device.Option{{Value: p.text("option"), Label: p.text("option.label")}}},
	}}}, nil
}

// lookAtDevices connects the account of a markedProvider with a device, and looks at the pages on the way.
func (f *fixture) lookAtDevices(t *testing.T, b *browser, customer string, text func(string) string, look func(path string, a response)) {
	t.Helper()
	start := b.home + "connect/start?provider=marked"
	form := b.post(start)
	require.Equal(t, http.StatusOK, form.StatusCode)
	look("connect", form)
	require.Equal(t, http.StatusSeeOther, b.post(start, "answer.choice", "x").StatusCode)
	f.addDevices(t, customer, device.Device{ID: "lock", Name: text("device"), Model: text("model"), Capabilities: []device.Capability{device.CanUnlock}})
}

// markedHost provides sections with markup in every text.
type markedHost struct{}

func (markedHost) Settings(context.Context, *portal.Session) ([]web.Setting, error) {
	return []web.Setting{
		{Name: mark("switch"), Group: web.GroupAccess, Label: mark("switch.label"), Text: mark("switch.text"), Value: "true"},
		{Name: mark("choice"), Group: web.GroupAccess, Label: mark("choice.label"), Text: mark("choice.text"), Value: mark("one"), Choices: []web.Choice{
			{Value: mark("one"), Label: mark("one.label")}, {Value: mark("two"), Label: mark("two.label")},
		}},
	}, nil
}

func (markedHost) Save(_ context.Context, _ *portal.Session, values map[string]string) (map[string]string, error) {
	faults := map[string]string{}
	for name := range values {
		faults[name] = mark("fault")
	}
	return faults, nil
}

var linkURL = regexp.MustCompile(`(?:href|action)="([^"]*)"`)

// walk gets every page that is linked from pages of an open portal, and posts its form with the texts of typed. It
// returns the number of pages.
func (b *browser) walk(typed func(field string) string, look func(path string, a response)) int {
	seen, todo := map[string]bool{}, []string{b.home, b.home + "reservations?q=onload"}
	visit := func(path string, a response) {
		look(path, a)
		for _, found := range linkURL.FindAllStringSubmatch(a.body, -1) {
			to, _, _ := strings.Cut(html.UnescapeString(found[1]), "#")
			if strings.HasPrefix(to, b.home) && !seen[to] && !slices.Contains(todo, to) && !strings.HasSuffix(to, "/end") && !b.isOtherDay(to) {
				todo = append(todo, to)
			}
		}
	}
	for len(todo) > 0 {
		path := todo[0]
		todo, seen[path] = todo[1:], true
		visit(path, b.get(path))
		page, _, _ := strings.Cut(path, "?")
		if !slices.Contains([]string{"new", "edit", "rename", "move", "spaces"}, page[strings.LastIndexByte(page, '/')+1:]) {
			continue
		}
		var form []string
		for _, name := range strings.Fields("name starts_at ends_at nights preferred_code guest_name guest_email guest_phone email_address phone_number parent_site_key kind space find_text") {
			form = append(form, name, typed("typed."+name))
		}
		visit("posted "+path, b.post(path, form...))
		visit("posted "+path, b.post(path, append(form, "find", "1")...))
	}
	return len(seen)
}

func TestPages_MarkupInPushedTexts_IsEscaped(t *testing.T) {
	t.Parallel()
	f := setupProviders(t, memory.New(), "https://portal.example", web.Options{Automations: markedHost{}}, markedProvider{text: mark})
	d, fields := markedData(f.clock.Now())
	brand, err := f.portals.CreateProfile(t.Context(), f.ws(), portal.Profile{
		Name: mark("profile.name"), LogoURL: "https://host.example/" + `"'><svg/onload=logo>`,
		MessageOverrides: map[string]map[string]string{"en-US": {"start.title": mark("message")}},
	})
	require.NoError(t, err)
	c := portal.Config{CustomizationProfileID: brand.ID, ReturnURL: "https://host.example/" + `"'><svg/onload=return_url>`}
	c.Features.Configure.AllowAccessAutomationRuleCustomization = true
	c.Features.Manage.DeviceManagementConfirmation = portal.Confirmation{
		Title: mark("confirm.title"), Body: mark("confirm.body"), ConfirmButtonLabel: mark("confirm.button"),
	}
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerData: &d, Config: c})
	require.NoError(t, err)
	fields = append(fields, strings.Fields("provider message label help value choice option.label device model switch.label choice.text two.label fault")...)
	click, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: d.CustomerKey, MaxUses: 1})
	require.NoError(t, err)
	b := f.newBrowser(t)
	first := b.open(p.URL.Reveal())
	require.Equal(t, http.StatusOK, first.StatusCode, first.body)
	raw := regexp.MustCompile(`<svg/onload=([a-z_.]*)`)
	shown := map[string]bool{}
	look := func(path string, a response) {
		require.Less(t, a.StatusCode, 500, path)
		require.Empty(t, raw.FindAllStringSubmatch(a.body, -1), path)
		require.NotContains(t, a.body, "ZgotmplZ", path)
		for _, field := range fields {
			text := mark(field)
			if strings.HasSuffix(field, "_key") {
				text = markKey(field)
			}
			if strings.Contains(a.body, template.HTMLEscapeString(text)) {
				shown[field] = true
			}
		}
	}
	look("click", f.newBrowser(t).get(click.URL.Reveal()))
	f.lookAtDevices(t, b, d.CustomerKey, mark, look)
	look("configure", b.post(b.home+"configure", "setting:"+mark("switch"), "1", "setting:"+mark("choice"), mark("two")))
	require.Greater(t, b.walk(mark, look), 50)
	for _, field := range fields { // the keys and texts that no page shows
		if !slices.Contains(strings.Fields("site_key room_key space_key listing_key listing.metadata guest_key staff_key"), field) {
			require.True(t, shown[field], "%s is on no page", field)
		}
	}
	b.header.Set("Accept-Language", mark("language"))
	look("ended", b.post(b.home+"end"))
}
