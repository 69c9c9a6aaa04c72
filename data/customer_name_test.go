package data_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// asJSON encodes a value as a JSON object and returns the decoded object.
func asJSON(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

// feed returns the changes in the feed, each as "change kind key".
func feed(t *testing.T, ws *data.Workspace) (out []string) {
	t.Helper()
	for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
		require.NoError(t, err)
		out = append(out, fmt.Sprintf("%s %s %s", c.Change, c.Kind, c.Key))
	}
	return out
}

func TestCustomerName_Push_IsMergedAndReported(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		const full = `{"customer_key": "c", "customer_name": "Hotel Ada", "customer_time_zone": "Europe/Lisbon"}`
		for _, step := range []struct {
			push             string
			created, updated bool
			state            string
		}{
			{full, true, false, full},
			{full, false, false, full},
			{`{"customer_key": "c"}`, false, false, full},
			{`{"customer_key": "c", "customer_name": "Hotel Lovelace"}`, false, true, `{"customer_key": "c", "customer_name": "Hotel Lovelace", "customer_time_zone": "Europe/Lisbon"}`},
			{`{"customer_key": "c", "customer_name": null}`, false, true, `{"customer_key": "c", "customer_time_zone": "Europe/Lisbon"}`},
			{`{"customer_key": "c", "customer_name": ""}`, false, false, `{"customer_key": "c", "customer_time_zone": "Europe/Lisbon"}`},
			{`{"customer_key": "c", "customer_name": "A", "customer_time_zone": ""}`, false, true, `{"customer_key": "c", "customer_name": "A"}`},
			{`{"customer_key": "c", "customer_name": " \u200b\ufeff"}`, false, true, `{"customer_key": "c"}`},
		} {
			report, err := pushJSON(t, ws, step.push)
			require.NoError(t, err, step.push)
			require.Empty(t, report.Warnings, step.push)
			reportJSON := asJSON(t, report)
			require.Equal(t, []any{step.created, step.updated}, []any{reportJSON["customer_created"], reportJSON["customer_updated"]}, step.push)
			require.JSONEq(t, step.state, export(t, ws, "c"), step.push)
		}
		require.Equal(t, []string{"created customer c", "updated customer c", "updated customer c", "updated customer c", "updated customer c"}, feed(t, ws))
	})
}

func TestCustomerName_Sync_IsReplaced(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, `{"customer_key": "c", "customer_name": "Hotel Ada", "customer_time_zone": "Europe/Lisbon", "rooms": [{"room_key": "1", "name": "One"}]}`)
		require.NoError(t, err)
		before := dump(t, ws)
		exported := export(t, ws, "c")
		report, err := ws.Sync(t.Context(), decode(t, exported))
		require.NoError(t, err)
		require.Equal(t, false, asJSON(t, report)["customer_updated"])
		require.Equal(t, before, dump(t, ws), "a sync of an export changes nothing")

		report, err = ws.Sync(t.Context(), decode(t, `{"customer_key": "c", "rooms": [{"room_key": "1", "name": "One"}]}`))
		require.NoError(t, err)
		require.Equal(t, true, asJSON(t, report)["customer_updated"])
		require.JSONEq(t, `{"customer_key": "c", "rooms": [{"room_key": "1", "name": "One"}]}`, export(t, ws, "c"))
	})
}

func TestCustomerName_InvalidValue_ReturnsFaultAndWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for body, want := range map[string]string{
			`"customer_name": 7`:                                  "customer_name type",
			`"customer_name": "a\u0000"`:                          "customer_name text_format",
			`"customer_name": "` + strings.Repeat("x", 201) + `"`: "customer_name text_format",
			`"customer_time_zone": "Mars/Base"`:                   "customer_time_zone format",
			`"customer_time_zone": "Local"`:                       "customer_time_zone format",
			`"customer_time_zone": ["Europe/Lisbon"]`:             "customer_time_zone type",
			`"sites": [{"site_key": "s", "name": "S", "customer_data": {"time_zone": "Mars/Base"}}]`:           "sites[0].customer_data.time_zone format",
			`"sites": [{"site_key": "s", "name": "S", "customer_data": {"default_checkin_time": "25:00"}}]`:    "sites[0].customer_data.default_checkin_time format",
			`"sites": [{"site_key": "s", "name": "S", "customer_data": {"default_checkout_time": "noonish"}}]`: "sites[0].customer_data.default_checkout_time format",
		} {
			for _, o := range []data.PushOptions{{}, {SkipInvalid: strings.HasPrefix(body, `"customer`)}} {
				_, err := ws.PushWith(t.Context(), decode(t, `{"customer_key": "c", `+body+`}`), o)
				require.Equal(t, []string{want}, faults(t, err), body)
				require.Empty(t, dumpAfterSweep(t, ws))
			}
		}
		_, err := pushJSON(t, ws, `{"customer_key": "c", "customer_name": "`+strings.Repeat("x", 200)+`"}`)
		require.NoError(t, err)
	})
}

func TestCustomerName_DryRun_ReportsAndWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, `{"customer_key": "c"}`)
		require.NoError(t, err)
		before := dump(t, ws)
		report, err := ws.PushWith(t.Context(), decode(t, `{"customer_key": "c", "customer_name": "A"}`), data.PushOptions{DryRun: true})
		require.NoError(t, err)
		require.Equal(t, true, asJSON(t, report)["customer_updated"])
		require.Equal(t, before, dump(t, ws))
	})
}

func TestCustomerName_GoValues_ArePushedAndCleared(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		d := data.CustomerData{CustomerKey: "c", CustomerName: "Hotel Ada", CustomerTimeZone: "Europe/Lisbon"}
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		c, err := ws.Customer(t.Context(), "c")
		require.NoError(t, err)
		require.Equal(t, []string{"Hotel Ada", "Europe/Lisbon"}, []string{c.Name, c.TimeZone})

		// Replace applies to resources. It keeps the customer's own fields.
		_, err = ws.PushWith(t.Context(), data.CustomerData{CustomerKey: "c"}, data.PushOptions{Replace: true})
		require.NoError(t, err)
		page, err := ws.Customers(t.Context(), data.CustomerQuery{})
		require.NoError(t, err)
		require.Equal(t, "Hotel Ada", page.Items[0].Name)

		_, err = ws.Push(t.Context(), data.CustomerData{CustomerKey: "c", Clear: []string{"customer_name"}})
		require.NoError(t, err)
		c, err = ws.Customer(t.Context(), "c")
		require.NoError(t, err)
		require.Equal(t, []string{"", "Europe/Lisbon"}, []string{c.Name, c.TimeZone})

		_, err = ws.Push(t.Context(), data.CustomerData{CustomerKey: "c", Clear: []string{"name"}})
		require.Equal(t, []string{"clear not_a_field"}, faults(t, err))
	})
}

func TestCustomerName_FeedChange_RoundTripsAsJSON(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "c")
		_, err := pushJSON(t, ws, `{"customer_key": "c", "customer_name": "A"}`)
		require.NoError(t, err)
		for c, err := range ws.Changes(t.Context(), data.Cursor{}) {
			require.NoError(t, err)
			require.Equal(t, data.KindCustomer, c.Kind)
			require.Equal(t, data.ClassCustomer, c.Class)
			require.Equal(t, uuid.Nil, c.ID)
			b, err := json.Marshal(c)
			require.NoError(t, err)
			var again data.FeedChange
			require.NoError(t, json.Unmarshal(b, &again))
			require.Equal(t, c, again)
		}
	})
}
