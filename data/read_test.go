package data_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

func TestRead_ByKeyAndByID_ReturnsResource(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, hotel)
		require.NoError(t, err)
		ctx := t.Context()

		room, err := ws.Space(ctx, "101")
		require.NoError(t, err)
		byID, err := ws.SpaceByID(ctx, room.Meta.ID)
		require.NoError(t, err)
		require.Equal(t, room, byID)
		guest, err := ws.UserIdentity(ctx, "ada")
		require.NoError(t, err)
		require.Equal(t, "ada@example.com", guest.EmailAddress)
		guestByID, err := ws.UserIdentityByID(ctx, guest.Meta.ID)
		require.NoError(t, err)
		require.Equal(t, guest, guestByID)
		grant, err := ws.AccessGrant(ctx, "r1")
		require.NoError(t, err)
		require.Equal(t, data.Ref{Kind: data.KindGuest, Key: "ada"}, grant.User)
		grantByID, err := ws.AccessGrantByID(ctx, grant.Meta.ID)
		require.NoError(t, err)
		require.Equal(t, grant, grantByID)

		for name, read := range map[string]func() error{
			"a key of another class": func() error { _, err := ws.Space(ctx, "ada"); return err },
			"an id of another class": func() error { _, err := ws.SpaceByID(ctx, guest.Meta.ID); return err },
			"an unknown id":          func() error { _, err := ws.UserIdentityByID(ctx, uuid.New()); return err },
			"an unknown key":         func() error { _, err := ws.AccessGrant(ctx, "r2"); return err },
			"another workspace": func() error {
				_, err := data.Open(ws.DB().Store(), data.Options{}).Workspace(uuid.New()).Space(ctx, "101")
				return err
			},
			"another workspace, by id": func() error {
				_, err := data.Open(ws.DB().Store(), data.Options{}).Workspace(uuid.New()).SpaceByID(ctx, room.Meta.ID)
				return err
			},
		} {
			require.ErrorIs(t, read(), data.ErrResourceNotFound, name)
			require.ErrorIs(t, read(), data.ErrNotFound, name)
		}
		_, err = data.Open(ws.DB().Store(), data.Options{}).Workspace(uuid.New()).Customer(ctx, "acme")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
	})
}

func TestList_Pages_ContainEachResourceOnce(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		var want []string
		d := data.CustomerData{CustomerKey: "acme"}
		for i := range 25 {
			key := fmt.Sprintf("%02d", i)
			want = append(want, key)
			d.Add([]data.Space{data.Room(key, key), data.Unit(key, key), data.Site(key, key)}[i%3])
		}
		d.Add(data.Guest("g", "G"), data.Reservation("r", data.Ref{}), data.Booking("b", data.Ref{}))
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
		push(t, ws, "other", data.Room("not acme's", "Room"))

		for _, limit := range []int{0, 1, 2, 7, 24, 25, 26, 1000} {
			var got []string
			q := data.Query{CustomerKey: "acme", Limit: limit}
			for pages := 0; ; pages++ {
				require.Less(t, pages, 30)
				page, err := ws.Spaces(t.Context(), q)
				require.NoError(t, err)
				for _, s := range page.Items {
					got = append(got, s.Key)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
				require.Len(t, page.Items, limit)
			}
			require.Equal(t, want, got, "limit %d", limit)
		}
		page, err := ws.Spaces(t.Context(), data.Query{CustomerKey: "acme", Kinds: []data.Kind{data.KindUnit, data.KindSite}, Limit: 3})
		require.NoError(t, err)
		require.Equal(t, []string{"01", "02", "04"}, []string{page.Items[0].Key, page.Items[1].Key, page.Items[2].Key})
		people, err := ws.UserIdentities(t.Context(), data.Query{CustomerKey: "acme"})
		require.NoError(t, err)
		require.Len(t, people.Items, 1)
		grants, err := ws.AccessGrants(t.Context(), data.Query{CustomerKey: "acme"})
		require.NoError(t, err)
		require.Equal(t, []string{"b", "r"}, []string{grants.Items[0].Key, grants.Items[1].Key})
	})
}

func TestList_InvalidQuery_ReturnsError(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("1", "One"))
		for name, q := range map[string]data.Query{
			"a negative limit":            {CustomerKey: "acme", Limit: -1},
			"too high a limit":            {CustomerKey: "acme", Limit: 1001},
			"a kind of another class":     {CustomerKey: "acme", Kinds: []data.Kind{data.KindGuest}},
			"no kind":                     {CustomerKey: "acme", Kinds: []data.Kind{0}},
			"a malformed cursor":          {CustomerKey: "acme", Cursor: "x"},
			"an empty cursor":             {CustomerKey: "acme", Cursor: base64.RawURLEncoding.EncodeToString([]byte("1"))},
			"a cursor of another version": {CustomerKey: "acme", Cursor: base64.RawURLEncoding.EncodeToString([]byte("9key"))},
		} {
			_, err := ws.Spaces(t.Context(), q)
			require.ErrorIs(t, err, validation.ErrInvalid, name)
		}
		_, err := ws.Spaces(t.Context(), data.Query{CustomerKey: "nobody"})
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = ws.Export(t.Context(), "nobody")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
	})
}

func TestWithin_FunctionFails_RollsBack(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		broken := errors.New("no")
		mine := []byte("host/row")
		within := func(fail error) data.PushOptions {
			return data.PushOptions{Within: func(ctx context.Context, tx data.CustomerTx) error {
				room, err := tx.Space(ctx, "1")
				if err != nil || room.Name != "One" || tx.Customer.Key != "acme" {
					return fmt.Errorf("the transaction does not read the push: %w", err)
				}
				if err := tx.Tx.Put(mine, []byte("x")); err != nil {
					return err
				}
				return fail
			}}
		}
		d := data.CustomerData{CustomerKey: "acme", Spaces: []data.Space{data.Room("1", "One")}}
		_, err := ws.PushWith(t.Context(), d, within(broken))
		require.ErrorIs(t, err, broken)
		require.Empty(t, dumpAfterSweep(t, ws))
		_, err = ws.PushWith(t.Context(), d, within(nil))
		require.NoError(t, err)
		require.Contains(t, dump(t, ws), fmt.Sprintf("%q", mine))

		require.ErrorIs(t, ws.Within(t.Context(), "nobody", nil), data.ErrCustomerNotFound)
		require.NoError(t, ws.Within(t.Context(), "acme", func(_ context.Context, tx data.CustomerTx) error { return tx.Tx.Delete(mine) }))
		require.NotContains(t, dump(t, ws), fmt.Sprintf("%q", mine))
	})
}

// TestExport_CorruptRow_ReturnsErrorOrCorrectData damages each row in turn. A read must return an error, or the correct data
// if it does not need that row.
func TestExport_CorruptRow_ReturnsErrorOrCorrectData(t *testing.T) {
	t.Parallel()
	backends.Each(t, func(t *testing.T, store storage.Store) {
		ws := workspace(store)
		_, err := pushJSON(t, ws, everyKind(t))
		require.NoError(t, err)
		want := export(t, ws, "Acme Hotels")
		var rows []storage.Entry
		require.NoError(t, store.View(t.Context(), func(r storage.Reader) error {
			for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
				if err != nil {
					return err
				}
				rows = append(rows, e)
			}
			return nil
		}))
		put := func(key, value []byte) {
			require.NoError(t, store.Update(t.Context(), func(tx storage.Tx) error { return tx.Put(key, value) }))
		}
		found := 0
		for _, row := range rows {
			for _, spoiled := range [][]byte{nil, {0xff}, append([]byte{0xff}, row.Value...), row.Value[:len(row.Value)/2]} {
				if string(spoiled) == string(row.Value) {
					continue
				}
				put(row.Key, spoiled)
				d, err := ws.Export(t.Context(), "Acme Hotels")
				if err != nil {
					found++
				} else {
					b, err := d.MarshalJSON()
					require.NoError(t, err)
					require.JSONEq(t, want, string(b), "%q", row.Key)
				}
			}
			put(row.Key, row.Value)
		}
		require.Greater(t, found, 60)
	})
}

func TestResources_SeveralKinds_AreInOrderOfReferences(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("r", "R"), data.Guest("g", "G"), data.Booking("b", data.Ref{}))
		push(t, ws, "other", data.Room("x", "X"))
		require.NoError(t, ws.View(t.Context(), func(s *data.Snapshot) error {
			got, err := s.Resources(t.Context(), "acme", []data.Ref{
				{Kind: data.KindUnit, Key: "r"}, {Kind: data.KindRoom, Key: "x"}, {Kind: data.KindUser, Key: "g"},
				{Kind: data.KindReservation, Key: "b"}, {Kind: data.KindRoom, Key: "nothing"},
			})
			require.NoError(t, err)
			require.Equal(t, data.Ref{Kind: data.KindRoom, Key: "r"}, got[0].Ref())
			require.Nil(t, got[1], "the resource of another customer")
			require.Equal(t, data.Ref{Kind: data.KindGuest, Key: "g"}, got[2].Ref())
			require.Equal(t, data.Ref{Kind: data.KindBooking, Key: "b"}, got[3].Ref())
			require.Nil(t, got[4])
			return nil
		}))
	})
}
