package data_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// changes returns the changes after a cursor.
func changes(t *testing.T, ws *data.Workspace, after data.Cursor) (out []data.FeedChange) {
	t.Helper()
	for c, err := range ws.Changes(t.Context(), after) {
		require.NoError(t, err)
		out = append(out, c)
	}
	return out
}

// countByChange returns the number of entries in the feed by change.
func countByChange(t *testing.T, ws *data.Workspace) map[data.Change]int {
	t.Helper()
	return lo.CountValuesBy(changes(t, ws, data.Cursor{}), func(c data.FeedChange) data.Change { return c.Change })
}

// describe formats changes as "created room 101".
func describe(changes []data.FeedChange) (out []string) {
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%s %s %s", c.Change, c.Kind, c.Key))
	}
	return out
}

func TestChanges_PushAndDelete_YieldsTheirChanges(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		first := changes(t, ws, data.Cursor{})
		require.Equal(t, []string{"created site lisbon", "created room 101", "created room 102", "created guest ada", "created reservation r1"}, describe(first))
		for _, c := range first {
			require.Equal(t, "acme", c.CustomerKey)
			require.Equal(t, c.Kind.Class(), c.Class)
			require.Equal(t, first[0].At, c.At)
			require.NotEqual(t, uuid.Nil, c.ID)
		}
		end := first[len(first)-1].Cursor
		require.Empty(t, changes(t, ws, end))
		for i, c := range first {
			require.Equal(t, describe(first[i+1:]), describe(changes(t, ws, c.Cursor)), "reading continues after the change of a cursor")
		}

		_, err = pushJSON(t, ws, strings.Replace(hotel, "Room 101", "Sea view", 1))
		require.NoError(t, err)
		_, err = pushJSON(t, ws, hotel)
		require.NoError(t, err)
		_, err = pushJSON(t, ws, hotel) // changes nothing
		require.NoError(t, err)
		_, err = ws.PlanDelete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
		require.NoError(t, err)
		_, err = ws.PushWith(t.Context(), decode(t, `{"customer_key": "dry", "rooms": [{"room_key": "x", "name": "X"}]}`), data.PushOptions{DryRun: true})
		require.NoError(t, err)
		_, err = pushJSON(t, ws, `{"customer_key": "acme", "rooms": [{"room_key": "x"}]}`)
		require.Error(t, err)
		report, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindSite, "lisbon")})
		require.NoError(t, err)
		require.Len(t, report.Deleted, 4)
		rest := changes(t, ws, end)
		require.Equal(t, []string{"updated room 101", "updated room 101"}, describe(rest[:2]))
		require.ElementsMatch(t, []string{"deleted site lisbon", "deleted room 101", "deleted room 102", "deleted reservation r1"}, describe(rest[2:]))
		for _, c := range rest[2:] {
			require.Equal(t, rest[2].At, c.At)
		}
	})
}

func TestChanges_ReferenceRemovedByDelete_YieldsUpdate(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"), data.Room("2", "Two"), data.Reservation("r", data.Ref{}, data.Refs(data.KindRoom, "1", "2")...))
		before := changes(t, ws, data.Cursor{})
		_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "1")})
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"deleted room 1", "updated reservation r"}, describe(changes(t, ws, before[len(before)-1].Cursor)))
	})
}

// TestChanges_Replayed_RebuildsTheState replays the changes of several customers, one of which was deleted and created again.
func TestChanges_Replayed_RebuildsTheState(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for i := range 5 {
			_, err := ws.Push(t.Context(), block(fmt.Sprint("c", i), fmt.Sprint("c", i), 6))
			require.NoError(t, err)
		}
		_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"c1"}, Resources: data.Refs(data.KindSite, "c2site")})
		require.NoError(t, err)
		_, err = ws.Sync(t.Context(), block("c3", "other", 3))
		require.NoError(t, err)
		_, err = ws.Push(t.Context(), block("c1", "c1", 2))
		require.NoError(t, err)

		rebuilt := map[uuid.UUID]string{}
		last := map[string]time.Time{}
		for _, c := range changes(t, ws, data.Cursor{}) {
			require.False(t, c.At.Before(last[c.CustomerKey]), "changes of a customer are in the order of its commits")
			last[c.CustomerKey] = c.At
			line := fmt.Sprintf("%s: %s %s", c.CustomerKey, c.Kind, c.Key)
			switch c.Change {
			case data.Created:
				require.NotContains(t, rebuilt, c.ID)
				rebuilt[c.ID] = line
			case data.Updated:
				require.Equal(t, rebuilt[c.ID], line)
			case data.Deleted:
				require.Equal(t, rebuilt[c.ID], line)
				delete(rebuilt, c.ID)
			}
		}
		require.Equal(t, resources(t, ws), rebuilt)
	})
}

// resources returns the customer and reference of every resource of a workspace by resource id.
func resources(t *testing.T, ws *data.Workspace) map[uuid.UUID]string {
	t.Helper()
	out := map[uuid.UUID]string{}
	for ref, meta := range metas(t, ws) {
		out[meta.ID] = fmt.Sprintf("%s: %s", meta.CustomerKey, ref)
	}
	return out
}

func TestFollow_LaterCommits_YieldsTheirChanges(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("0", "Room"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := 0
		for c, err := range ws.Follow(ctx, data.Cursor{}) {
			if seen == 5 {
				require.ErrorIs(t, err, context.Canceled)
				return
			}
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(seen), c.Key)
			if seen++; seen == 5 {
				cancel()
				continue
			}
			// Push with the same Workspace, which notifies Follow at once, and with another one.
			other := []*data.Workspace{ws, data.Open(ws.DB().Store(), data.Options{}).Workspace(workspaceID)}[seen%2]
			push(t, other, "acme", data.Room(fmt.Sprint(seen), "Room"))
		}
		t.Fatal("Follow ended without an error")
	})
}

func TestFollow_CommitWhileWaiting_YieldsItAtOnce(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		heard := make(chan string)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for c, err := range ws.Follow(ctx, data.Cursor{}) {
				if err != nil {
					close(heard)
					return
				}
				heard <- c.Key
			}
		}()
		for i := range 10 {
			push(t, ws, "acme", data.Room(fmt.Sprint(i), "Room"))
			require.Equal(t, fmt.Sprint(i), <-heard)
		}
		cancel()
		_, more := <-heard
		require.False(t, more)
	})
}

func TestTrimChanges_OldChanges_DeletesThem(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for i := range 150 {
			push(t, ws, "acme", data.Room(fmt.Sprint(i), "Room"))
		}
		all := changes(t, ws, data.Cursor{})
		require.Len(t, all, 150)
		middle := all[100]
		dropped, err := ws.TrimChanges(t.Context(), middle.At)
		require.NoError(t, err)
		require.Equal(t, 100, dropped)
		require.Equal(t, describe(all[100:]), describe(changes(t, ws, data.Cursor{})), "the feed starts after the trimmed changes")
		require.Equal(t, describe(all[100:]), describe(changes(t, ws, all[99].Cursor)), "nothing after this cursor was trimmed")
		for _, err := range ws.Changes(t.Context(), all[98].Cursor) {
			require.ErrorIs(t, err, data.ErrTrimmed)
		}
		dropped, err = ws.TrimChanges(t.Context(), middle.At)
		require.NoError(t, err)
		require.Zero(t, dropped)
		dropped, err = ws.TrimChanges(t.Context(), middle.At.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, 50, dropped)
		require.Empty(t, changes(t, ws, data.Cursor{}))
		push(t, ws, "acme", data.Room("after", "Room"))
		require.Equal(t, []string{"created room after"}, describe(changes(t, ws, all[149].Cursor)))
	})
}

func TestCursor_Text_RoundTripsOrReturnsError(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"), data.Room("2", "Two"))
		push(t, ws, "other", data.Room("3", "Three"))
		for _, c := range changes(t, ws, data.Cursor{}) {
			text, err := c.Cursor.MarshalText()
			require.NoError(t, err)
			require.Less(t, len(text), 100)
			var back data.Cursor
			require.NoError(t, back.UnmarshalText(text))
			require.Equal(t, c.Cursor, back)
		}
		var c data.Cursor
		require.NoError(t, c.UnmarshalText(nil))
		require.Equal(t, data.Cursor{}, c)
		for _, text := range []string{"x", "!!", "MQ", cursorText("2\x01iiiiiiii\x00"), cursorText("1\x01iiiiiiii\x00\x00"), cursorText("1\x01iiiiiii"), cursorText("1\x00iiiiiiii\x00")} {
			require.ErrorIs(t, c.UnmarshalText([]byte(text)), data.ErrInvalidCursor, text)
		}
		for text, want := range map[string]error{
			"1\x7fiiiiiiii\x00": data.ErrEpoch, // past the end of the feed
			"1\x01iiiiiiii\x00": data.ErrEpoch, // with the id of another commit
		} {
			require.NoError(t, c.UnmarshalText([]byte(cursorText(text))))
			for _, err := range ws.Changes(t.Context(), c) {
				require.ErrorIs(t, err, want)
			}
		}
		text, err := changes(t, ws, data.Cursor{})[0].Cursor.MarshalText() // the first of two changes of a commit
		require.NoError(t, err)
		raw, err := base64.RawURLEncoding.DecodeString(string(text))
		require.NoError(t, err)
		raw[len(raw)-1]++
		require.NoError(t, c.UnmarshalText([]byte(cursorText(string(raw)))))
		for _, err := range ws.Changes(t.Context(), c) {
			require.ErrorIs(t, err, data.ErrInvalidCursor, "past the end of the commit")
		}
	})
}

// cursorText returns the text of a cursor with the given content.
func cursorText(content string) string { return base64.RawURLEncoding.EncodeToString([]byte(content)) }

// TestTrimChanges_OlderChangeAfterNewer_KeepsBoth commits a large operation after a later one of another customer, so that
// the feed has an older change after a newer one. Trimming must keep the older one too, because a reader may have read no
// further than the newer one.
func TestTrimChanges_OlderChangeAfterNewer_KeepsBoth(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		const neighbour = "n"
		clock := new(fakeClock)
		h := &hooked{Store: store}
		ws := data.Open(h, data.Options{Now: clock.now}).Workspace(workspaceID).PlanOnSnapshots()
		other := data.Open(store, data.Options{Now: clock.now}).Workspace(workspaceID)
		h.afterView = func() { push(t, other, neighbour, data.Room("x", "X")) }
		_, err := ws.Push(t.Context(), block("a", "a", 20))
		require.NoError(t, err)
		all := changes(t, other, data.Cursor{})
		require.Len(t, all, 62)
		later := all[0]
		require.Equal(t, neighbour, later.CustomerKey)
		require.True(t, all[1].At.Before(later.At))

		dropped, err := other.TrimChanges(t.Context(), later.At)
		require.NoError(t, err)
		require.Zero(t, dropped)
		require.Equal(t, all, changes(t, other, data.Cursor{}), "an older change after a newer one is kept")
		dropped, err = other.TrimChanges(t.Context(), later.At.Add(time.Second))
		require.NoError(t, err)
		require.Equal(t, len(all), dropped)
		require.Empty(t, changes(t, other, all[len(all)-1].Cursor))
	})
}

// TestFeedChange_JSON_RoundTrips encodes and decodes changes of every kind of resource and of a portal.
func TestFeedChange_JSON_RoundTrips(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, everyKind(t))
		require.NoError(t, err)
		require.NoError(t, ws.Within(t.Context(), "Acme Hotels", func(ctx context.Context, tx data.CustomerTx) error {
			return portaldata.AddChange(ctx, tx, data.Actor{}, data.PortalOpened, uuid.New())
		}))
		all := changes(t, ws, data.Cursor{})
		require.Equal(t, data.KindCustomerPortal, all[len(all)-1].Kind)
		b, err := json.Marshal(all)
		require.NoError(t, err)
		var decoded []data.FeedChange
		require.NoError(t, json.Unmarshal(b, &decoded))
		require.Equal(t, all, decoded)
		var c data.Class
		require.ErrorContains(t, c.UnmarshalText([]byte("room")), "unknown class")
		var k data.Kind
		require.ErrorContains(t, k.UnmarshalText([]byte("colour")), "unknown kind")
	})
}
