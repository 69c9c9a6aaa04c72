package data_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

func everyKind(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/every_kind.json")
	require.NoError(t, err)
	return string(b)
}

func TestExport_EveryKind_EqualsPush(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		body := everyKind(t)
		report, err := pushJSON(t, ws, body)
		require.NoError(t, err)
		require.Empty(t, report.Warnings)
		kinds := map[data.Kind]bool{}
		for _, r := range report.Resources {
			kinds[r.Kind] = true
		}
		require.Len(t, kinds, 19, "the test data has every kind")
		require.JSONEq(t, body, export(t, ws, "Acme Hotels"))

		before := dump(t, ws)
		again, err := pushJSON(t, ws, export(t, ws, "Acme Hotels"))
		require.NoError(t, err)
		require.Equal(t, report.Created, again.Unchanged)
		require.Equal(t, before, dump(t, ws))
	})
}

func TestPush_Times_AreStoredInUTCInMicroseconds(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for input, want := range map[string]string{
			"2025-06-16T16:54:17.946594Z":         "2025-06-16T16:54:17.946594Z",
			"2025-06-16T16:54:17Z":                "2025-06-16T16:54:17.000000Z",
			"2025-06-16T18:54:17.9465949+02:00":   "2025-06-16T16:54:17.946594Z",
			"2025-06-16T00:30:00.1-09:30":         "2025-06-16T10:00:00.100000Z",
			"2025-06-16t16:54:17z":                "2025-06-16T16:54:17.000000Z",
			"0001-01-02T00:00:00Z":                "0001-01-02T00:00:00.000000Z",
			"9999-12-31T23:59:59.999999999Z":      "9999-12-31T23:59:59.999999Z",
			"1969-12-31T23:59:59.999999999+00:00": "1969-12-31T23:59:59.999999Z",
		} {
			_, err := pushJSON(t, ws, `{"customer_key": "acme", "bookings": [{"booking_key": "b", "starts_at": "`+input+`"}]}`)
			require.NoError(t, err, input)
			grant, err := ws.AccessGrant(t.Context(), "b")
			require.NoError(t, err)
			require.Equal(t, want, data.FormatTime(grant.StartsAt), input)
		}
	})
}

func TestDecode_InvalidJSON_ReturnsErrNotJSON(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"empty body":             ``,
		"truncated":              `{"customer_key": "a", "rooms": [{"room_key": "1"`,
		"two values":             `{"customer_key": "a"} {}`,
		"trailing comma":         `{"customer_key": "a",}`,
		"duplicate name":         `{"customer_key": "a", "customer_key": "b"}`,
		"duplicate nested name":  `{"customer_key": "a", "rooms": [{"room_key": "1", "room_key": "2"}]}`,
		"duplicate unknown name": `{"x": {"a": 1, "a": 2}}`,
		"not UTF-8":              "{\"customer_key\": \"a\xff\"}",
		"unpaired surrogate":     `{"customer_key": "\ud800"}`,
		"unquoted word":          `customer`,
		"too deeply nested":      `{"x": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
		"very deeply nested":     strings.Repeat("[", 1<<20),
		"infinite number":        `{"spaces": [{"duration_minutes": Infinity}]}`,
		"control character":      "{\"customer_key\": \"a\nb\"}",
		"unfinished constant":    `{"customer_key": tru`,
	}
	for name, body := range tests {
		_, err := data.Decode(strings.NewReader(body), data.DecodeOptions{})
		require.ErrorIs(t, err, data.ErrNotJSON, name)
		require.Less(t, len(err.Error()), 300, name)
	}
	for name, body := range map[string]string{
		"too many resources": `{"rooms": [` + strings.Repeat("{},", 2000) + `{}]}`,
	} {
		_, err := data.Decode(strings.NewReader(body), data.DecodeOptions{MaxResources: 2000})
		require.ErrorIs(t, err, data.ErrNotJSON, name)
	}
	_, err := data.Decode(strings.NewReader(`{}`), data.DecodeOptions{MaxBytes: math.MaxInt64})
	require.NoError(t, err)
	_, err = data.Decode(strings.NewReader(`{"customer_key": "a"}`), data.DecodeOptions{MaxBytes: 10})
	require.EqualError(t, err, "invalid input: JSON: longer than 10 bytes")
	d, err := data.Decode(strings.NewReader(`{"customer_key": "a"}`), data.DecodeOptions{MaxBytes: 21})
	require.NoError(t, err)
	require.Equal(t, "a", d.CustomerKey)

	broken := errors.New("connection lost")
	_, err = data.Decode(io.MultiReader(strings.NewReader(`{"customer_key": `), iotest.ErrReader(broken)), data.DecodeOptions{})
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, data.ErrNotJSON)
}

func TestMarshalJSON_Resource_IsEntryOfCollection(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal([]any{
		data.Room("1", "One").In("s"),
		data.Guest("g", "G"),
		data.Space{Kind: data.KindSpace, Key: "x", Clear: []string{"customer_data.address", "name"}},
		data.Booking("b", data.Ref{Kind: data.KindGuest, Key: "g"}, data.Ref{Kind: data.KindUnit, Key: "u"}, data.Ref{Kind: data.KindRoom, Key: "r"}),
	})
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"room_key": "1", "name": "One", "parent_site_key": "s"},
		{"guest_key": "g", "name": "G"},
		{"space_key": "x", "name": null, "customer_data": {"address": null}},
		{"booking_key": "b", "guest_key": "g", "room_keys": ["r"], "unit_keys": ["u"]}]`, string(b))
	_, err = json.Marshal(data.Space{Key: "1"})
	require.ErrorContains(t, err, "unknown kind")
	_, err = json.Marshal(data.CustomerData{Spaces: []data.Space{{Key: "1"}}})
	require.ErrorContains(t, err, "unknown kind")
}

// FuzzDecode checks that decoded data can be encoded and decoded again, with the same result.
func FuzzDecode(f *testing.F) {
	f.Add(everyKind(f))
	f.Add(hotel)
	f.Add(estate)
	f.Add(`{"customer_key": null, "spaces": [{"customer_data": null, "geolocation": {"latitude": 1, "x": []}}], "x": {}}`)
	f.Add(`{"customer_key": "c", "customer_name": "\u200b", "customer_time_zone": null, "sites": [{"site_key": "s", "customer_data": {"time_zone": "UTC"}}]}`)
	f.Add(`{"customer_key": "c", "bookings": [{"booking_key": "b", "room_keys": ["1", "1"], "space_keys": ["1"], "unit_keys": null}]}`)
	f.Add(`{"reservations": [{"reservation_key": "", "custom_metadata": {"a": {"b": [1]}}, "room_keys": [1, null]}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		d, err := data.Decode(strings.NewReader(body), data.DecodeOptions{})
		if err != nil {
			require.ErrorIs(t, err, data.ErrNotJSON)
			return
		}
		b, err := json.Marshal(d)
		require.NoError(t, err)
		var again data.CustomerData
		require.NoError(t, json.Unmarshal(b, &again))
		b2, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(b), string(b2))
	})
}

// TestKindFields_EveryField_IsInJSON compares Fields with the JSON of a resource that has every field.
func TestKindFields_EveryField_IsInJSON(t *testing.T) {
	t.Parallel()
	everyKind, err := os.ReadFile("testdata/every_kind.json")
	require.NoError(t, err)
	var written map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(everyKind, &written))
	for _, kind := range data.Kinds() {
		var entries []map[string]any
		require.NoError(t, json.Unmarshal(written[kind.Collection()], &entries))
		require.NotEmpty(t, entries)
		for _, entry := range entries {
			delete(entry, kind.KeyField())
			for name, value := range entry {
				if object, ok := value.(map[string]any); ok && name == "customer_data" {
					for inner := range object {
						require.Contains(t, kind.Fields(), name+"."+inner)
					}
					continue
				}
				require.Contains(t, kind.Fields(), name)
			}
		}
	}
	require.Equal(t, []string{"name", "parent_site_key"}, data.KindRoom.Fields())
	require.Empty(t, data.Kind(0).Fields())
}
