package web_test

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal/web"
)

// The booking is changed by each type of actor.
func TestHistory_EachEntry_NamesTheFieldsAndTheActor(t *testing.T) {
	t.Parallel()
	f, b := setupZoned(t, "2026-06-01T16:00:00Z", `{"customer_key": "acme", "rooms": [{"room_key": "1", "name": "One"}, {"room_key": "2", "name": "Two"}],
		"guests": [{"guest_key": "ada", "name": "Ada"}],
		"reservations": [{"reservation_key": "r1", "name": "Stay", "room_keys": ["1"], "starts_at": "2026-06-10T06:00:00Z", "ends_at": "2026-06-12T06:00:00Z"}]}`,
		`{}`, web.Options{})
	var own uuid.UUID
	for c, err := range f.ws().Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		if c.Kind == data.KindCustomerPortal {
			own = c.ID
		}
	}
	change := func(actor data.Actor, fields string) {
		d, err := data.Decode(strings.NewReader(`{"customer_key": "acme", "reservations": [{"reservation_key": "r1", `+fields+`}]}`), data.DecodeOptions{})
		require.NoError(t, err)
		_, err = f.ws().PushWith(t.Context(), d, data.PushOptions{Actor: actor})
		require.NoError(t, err)
	}
	change(data.Actor{}, `"name": "Long stay", "ends_at": "2026-06-13T06:00:00Z"`)
	change(data.Actor{Type: data.ActorPortal, PortalID: own}, `"room_keys": ["2"]`)
	change(data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{1}}, `"guest_key": "ada", "space_keys": ["1"]`)
	change(data.Actor{Type: data.ActorAutomation, Name: "early"}, `"starts_at": "2026-06-10T05:00:00Z", "preferred_code": "4711"`)
	change(data.Actor{Type: data.ActorConnector, Name: "<iCal>"}, `"custom_metadata": {"secret": "value"}`)

	body := b.get(b.home + "reservations/view?key=r1").body
	_, body, found := strings.Cut(body, `<ol class="list history">`)
	require.True(t, found)
	body, _, _ = strings.Cut(body, "</ol>")
	require.NotContains(t, body, "<iCal>")
	var got []string
	for _, item := range strings.Split(body, "<li>")[1:] {
		item = regexp.MustCompile(`<time.*</time>`).ReplaceAllString(item, "")
		got = append(got, html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(item, "")))
	}
	require.Equal(t, []string{
		"Changed: Other details  · Imported from <iCal>",
		"Changed: Starts, Preferred code  · Automatically",
		"Changed: Person, Spaces  · In another portal",
		"Changed: Spaces  · In this portal",
		"Changed: Title, Ends  · In the connected system",
		"Created  · In the connected system",
	}, got)
	require.NotContains(t, body, uuid.UUID{1}.String())
}
