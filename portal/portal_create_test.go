package portal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

func TestCustomerPortal_JSON_IsTheAPIObject(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		sample, err := os.ReadFile("testdata/customer_portal.json")
		require.NoError(t, err)
		var want map[string]string
		require.NoError(t, json.Unmarshal(sample, &want))

		p := f.create(t, portal.CreateRequest{CustomerData: hotel()})
		require.Equal(t, 4, p.Push.Created.Total())
		b, err := json.Marshal(p)
		require.NoError(t, err)
		var got map[string]string
		require.NoError(t, json.Unmarshal(b, &got))
		require.Regexp(t, `^https://se\.am/3[0-9a-hjkmnp-tv-z]{32}$`, got["url"])
		got["url"] = want["url"]
		require.Equal(t, want, got)
	})
}

func TestCreate_ExistingCustomer_PushesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company"})
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = f.ws.Push(t.Context(), *hotel())
		require.NoError(t, err)
		p := f.create(t, portal.CreateRequest{CustomerKey: "My Company", TTL: time.Hour})
		require.Equal(t, p.CreatedAt.Add(time.Hour), p.ExpiresAt)
		require.Zero(t, p.Push.CustomerKey, "nothing was pushed")
		again := f.create(t, portal.CreateRequest{CustomerKey: "My Company"})
		require.NotEqual(t, p.ID, again.ID)
		require.NotEqual(t, p.URL, again.URL)
	})
}

func TestCreate_Fails_WritesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := hotel()
		d.Add(data.Room("102", "")) // has no name
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: d})
		require.ErrorIs(t, err, validation.ErrInvalid)
		requireEmpty(t, f)

		broken, err := portal.New(data.Open(f.ws.DB().Store(), data.Options{Rand: bytes.NewReader(nil)}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		_, err = broken.Create(t.Context(), broken.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: hotel()})
		require.ErrorContains(t, err, "generating a")
		requireEmpty(t, f)

		// The second portal gets the same id, so it fails in the transaction of its push.
		repeating := func() *portal.Service {
			rand := &zerosFirst{left: 2} // the ids of the portal and of its link
			s, err := portal.New(data.Open(f.ws.DB().Store(), data.Options{Rand: rand, Now: f.clock.Now}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
			require.NoError(t, err)
			return s
		}
		first, second := repeating(), repeating()
		_, err = first.Create(t.Context(), first.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: hotel()})
		require.NoError(t, err)
		other := &data.CustomerData{CustomerKey: "Other"}
		other.Add(data.Room("201", "Room 201"))
		_, err = second.Create(t.Context(), second.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: other})
		require.ErrorContains(t, err, "taken")
		_, err = f.ws.Customer(t.Context(), "Other")
		require.ErrorIs(t, err, data.ErrCustomerNotFound)
		_, err = f.ws.Space(t.Context(), "201")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

// zerosFirst is a source of random bytes whose first reads return zeros.
type zerosFirst struct{ left int }

func (z *zerosFirst) Read(b []byte) (int, error) {
	if z.left--; z.left >= 0 {
		clear(b)
		return len(b), nil
	}
	return rand.Read(b)
}

func TestCreate_InvalidRequest_ReturnsErrInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for name, req := range map[string]portal.CreateRequest{
			"no customer":                 {},
			"two customers":               {CustomerKey: "a", CustomerData: hotel()},
			"a negative TTL":              {CustomerData: hotel(), TTL: -1},
			"a TTL of less than 1 second": {CustomerData: hotel(), TTL: time.Second - 1},
			"a TTL too long":              {CustomerData: hotel(), TTL: 7*24*time.Hour + 1},
			"no customer key":             {CustomerData: &data.CustomerData{}},
			"a padded key":                {CustomerData: &data.CustomerData{CustomerKey: " a"}},
			"an unknown alias":            {CustomerData: &data.CustomerData{CustomerKey: "a", Spaces: []data.Space{{Key: "x"}}}},
		} {
			_, err := f.portals.Create(t.Context(), f.ws, req)
			require.ErrorIs(t, err, validation.ErrInvalid, name)
		}
		requireEmpty(t, f)
		f.create(t, portal.CreateRequest{CustomerData: hotel(), TTL: 7 * 24 * time.Hour})
	})
}

// same is a Rand that always returns the same bytes.
type same struct{}

func (same) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

func TestCreate_RandRepeats_ReturnsError(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		portals, err := portal.New(data.Open(f.ws.DB().Store(), data.Options{Now: f.clock.Now, Rand: same{}}), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		_, err = portals.Create(t.Context(), portals.DB().Workspace(workspaceID), portal.CreateRequest{CustomerData: hotel()})
		require.NoError(t, err)
		_, err = portals.Create(t.Context(), portals.DB().Workspace(workspaceID), portal.CreateRequest{CustomerKey: "My Company"})
		require.ErrorContains(t, err, "an id that is taken")
	})
}

func TestCode_URLOrCode_ReturnsCode(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"abc", "https://se.am/abc", "https://se.am/portal/abc/", "/abc"} {
		require.Equal(t, "abc", portal.Code(link))
	}
}

func TestCreate_WorkspaceOfAnotherDB_ReturnsErrInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		other := data.Open(closedStore{}, data.Options{}).Workspace(workspaceID)
		_, err := f.portals.Create(t.Context(), other, portal.CreateRequest{CustomerData: hotel()})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}
