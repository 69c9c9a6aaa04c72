package portal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

func TestNew_InvalidOptions_ReturnsErrInvalid(t *testing.T) {
	t.Parallel()
	master, err := keys.NewMaster()
	require.NoError(t, err)
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	for name, o := range map[string]portal.Options{
		"no URL":          {Keys: ring},
		"a path":          {Keys: ring, BaseURL: "/portal"},
		"another scheme":  {Keys: ring, BaseURL: "javascript://x"},
		"a query":         {Keys: ring, BaseURL: "https://se.am/?x=1"},
		"an empty query":  {Keys: ring, BaseURL: "https://se.am/?"},
		"a fragment":      {Keys: ring, BaseURL: "https://se.am/#x"},
		"a user":          {Keys: ring, BaseURL: "https://me@se.am/"},
		"not a URL":       {Keys: ring, BaseURL: "https://se.am/%zz"},
		"escapes":         {Keys: ring, BaseURL: "https://se.am/a%20b"},
		"a space":         {Keys: ring, BaseURL: "https://se.am/a b"},
		"braces":          {Keys: ring, BaseURL: "https://se.am/{a}"},
		"escaped slash":   {Keys: ring, BaseURL: "https://se.am/a%2fb"},
		"a semicolon":     {Keys: ring, BaseURL: "https://se.am/a;b"},
		"empty segment":   {Keys: ring, BaseURL: "https://se.am/a//b"},
		"dot segment":     {Keys: ring, BaseURL: "https://se.am/a/./b"},
		"parent segment":  {Keys: ring, BaseURL: "https://se.am/a/../b"},
		"no keys":         {BaseURL: "https://se.am"},
		"a negative TTL":  {Keys: ring, BaseURL: "https://se.am", TTL: -1},
		"TTL over MaxTTL": {Keys: ring, BaseURL: "https://se.am", TTL: 2, MaxTTL: 1},
	} {
		_, err := portal.New(data.Open(memory.New(), data.Options{}), o)
		require.ErrorIs(t, err, validation.ErrInvalid, name)
	}
}

func TestNew_DefaultTTL_IsAtMostMaxTTL(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range []struct {
			o    portal.Options
			want time.Duration
			most time.Duration
		}{
			{portal.Options{}, 24 * time.Hour, 7 * 24 * time.Hour},
			{portal.Options{MaxTTL: time.Hour}, time.Hour, time.Hour},
			{portal.Options{TTL: 8 * 24 * time.Hour}, 8 * 24 * time.Hour, 8 * 24 * time.Hour},
			{portal.Options{TTL: time.Minute, MaxTTL: time.Hour}, time.Minute, time.Hour},
		} {
			o := test.o
			o.BaseURL, o.Keys = "https://se.am", f.keys
			portals, err := portal.New(f.ws.DB(), o)
			require.NoError(t, err)
			p, err := portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel()})
			require.NoError(t, err)
			require.Equal(t, test.want, p.ExpiresAt.Sub(p.CreatedAt))
			_, err = portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel(), TTL: test.most})
			require.NoError(t, err)
			_, err = portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel(), TTL: test.most + 1})
			require.ErrorIs(t, err, validation.ErrInvalid)
		}
	})
}

func TestNewAndCreate_MissingArgument_ReturnErrInvalid(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := portal.New(nil, portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: &keys.Ring{}})
		require.ErrorIs(t, err, validation.ErrInvalid)
		_, err = f.portals.Create(t.Context(), nil, portal.CreateRequest{CustomerKey: "a"})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

func TestNew_BaseURLWithPath_Works(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		portals, err := portal.New(f.ws.DB(), portal.Options{BaseURL: "http://127.0.0.1:8080/portal/", Keys: f.keys})
		require.NoError(t, err)
		p, err := portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: hotel()})
		require.NoError(t, err)
		require.Regexp(t, `^http://127\.0\.0\.1:8080/portal/3[0-9a-z]{32}$`, p.URL.Reveal())
	})
}
