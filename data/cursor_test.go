package data_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// TestCursor_LineBreak_ReturnsErrInvalidCursor checks texts with line breaks, which package base64 ignores.
func TestCursor_LineBreak_ReturnsErrInvalidCursor(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "a", data.Room("1", "One"), data.Room("2", "Two"))
		page, err := ws.Spaces(t.Context(), data.Query{CustomerKey: "a", Limit: 1})
		require.NoError(t, err)
		cursor, err := changes(t, ws, data.Cursor{})[0].Cursor.MarshalText()
		require.NoError(t, err)
		for _, end := range []string{"\n", "\r", "\r\n"} {
			var c data.Cursor
			for _, text := range []string{end, string(cursor) + end, end + string(cursor)} {
				require.ErrorIs(t, c.UnmarshalText([]byte(text)), data.ErrInvalidCursor, "%q", text)
				require.Equal(t, data.Cursor{}, c)
			}
			for _, text := range []string{end, page.Next + end, end + page.Next} {
				_, err := ws.Spaces(t.Context(), data.Query{CustomerKey: "a", Cursor: text})
				require.ErrorIs(t, err, data.ErrInvalidCursor, "%q", text)
			}
		}
	})
}

// FuzzCursor checks that UnmarshalText either returns ErrInvalidCursor or returns a cursor that can be encoded again and read
// from.
func FuzzCursor(f *testing.F) {
	ws := workspace(memory.New())
	report, err := ws.Push(f.Context(), block("a", "a", 2))
	require.NoError(f, err)
	for c, err := range ws.Changes(f.Context(), data.Cursor{}) {
		require.NoError(f, err)
		text, err := c.Cursor.MarshalText()
		require.NoError(f, err)
		f.Add(string(text))
	}
	for _, text := range []string{"", "\n", "MQ", "MQ\r\n", "!!", "A"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c data.Cursor
		if err := c.UnmarshalText([]byte(text)); err != nil {
			require.ErrorIs(t, err, data.ErrInvalidCursor)
			require.Equal(t, data.Cursor{}, c)
			return
		}
		encoded, err := c.MarshalText()
		require.NoError(t, err)
		var decoded data.Cursor
		require.NoError(t, decoded.UnmarshalText(encoded))
		require.Equal(t, c, decoded)
		read := 0
		for _, err := range ws.Changes(t.Context(), c) {
			if err != nil {
				require.True(t, errors.Is(err, data.ErrInvalidCursor) || errors.Is(err, data.ErrEpoch), "%v", err)
				break
			}
			read++
		}
		require.LessOrEqual(t, read, report.Created.Total())
	})
}

// FuzzPageCursor checks that each list either accepts a cursor and ends, or returns ErrInvalidCursor.
func FuzzPageCursor(f *testing.F) {
	ws := workspace(memory.New())
	d := block("a", "a", 4)
	for i := range d.AccessGrants {
		d.AccessGrants[i].StartsAt = day(float64(i))
	}
	_, err := ws.Push(f.Context(), d)
	require.NoError(f, err)
	lists := []func(ctx context.Context, cursor string) (n int, next string, err error){
		func(ctx context.Context, cursor string) (int, string, error) {
			p, err := ws.Spaces(ctx, data.Query{CustomerKey: "a", Limit: 2, Cursor: cursor})
			return len(p.Items), p.Next, err
		},
		func(ctx context.Context, cursor string) (int, string, error) {
			p, err := ws.AccessGrants(ctx, data.Query{CustomerKey: "a", From: day(0), Limit: 2, Cursor: cursor})
			return len(p.Items), p.Next, err
		},
		func(ctx context.Context, cursor string) (int, string, error) {
			p, err := ws.AccessGrants(ctx, data.Query{CustomerKey: "a", SpaceKey: "a001", Limit: 2, Cursor: cursor})
			return len(p.Items), p.Next, err
		},
		func(ctx context.Context, cursor string) (int, string, error) {
			p, err := ws.Referrers(ctx, data.Ref{Kind: data.KindSite, Key: "asite"}, 2, cursor)
			return len(p.Items), p.Next, err
		},
		func(ctx context.Context, cursor string) (int, string, error) {
			p, err := ws.Customers(ctx, data.CustomerQuery{Limit: 2, Cursor: cursor})
			return len(p.Items), p.Next, err
		},
	}
	for _, list := range lists {
		_, next, err := list(f.Context(), "")
		require.NoError(f, err)
		f.Add(next)
	}
	for _, text := range []string{"\n", "MWs", "MXQ\r\n", "MXRr", "!!"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, list := range lists {
			for pages := 0; ; pages++ {
				n, next, err := list(t.Context(), cursor)
				if err != nil {
					require.ErrorIs(t, err, data.ErrInvalidCursor)
					break
				}
				require.LessOrEqual(t, n, 2)
				require.Less(t, pages, 10, "the list does not end")
				if cursor = next; next == "" {
					break
				}
			}
		}
	})
}

// FuzzSelection checks that a decoded selection does not change if it is encoded and decoded again, and that planning to
// delete it either succeeds or returns ErrInvalid.
func FuzzSelection(f *testing.F) {
	f.Add(`{"customer_key": "a", "customer_keys": ["a"], "room_keys": ["a001", "x"], "site_keys": null}`)
	f.Add(`{"property_listing_keys": ["a001", 1, null], "colours": {}, "customer_key": 5}`)
	f.Add(`{"guest_keys": {}, "booking_keys": ["\u0000"]}`)
	f.Add(`[]`)
	ws := workspace(memory.New())
	_, err := ws.Push(f.Context(), block("a", "a", 2))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body string) {
		var sel data.Selection
		if err := sel.UnmarshalJSON([]byte(body)); err != nil {
			require.ErrorIs(t, err, data.ErrNotJSON)
			return
		}
		if _, err := ws.PlanDelete(t.Context(), sel); err != nil {
			require.ErrorIs(t, err, validation.ErrInvalid)
		}
		b, err := json.Marshal(sel)
		require.NoError(t, err)
		var decoded data.Selection
		require.NoError(t, json.Unmarshal(b, &decoded))
		b2, err := json.Marshal(decoded)
		require.NoError(t, err)
		require.Equal(t, string(b), string(b2))
	})
}
