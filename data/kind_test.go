package data_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

func TestKind_TextEncoding_RoundTrips(t *testing.T) {
	t.Parallel()
	for _, kind := range data.Kinds() {
		parsed, err := data.ParseKind(kind.String())
		require.NoError(t, err)
		require.Equal(t, kind, parsed)
		b, err := json.Marshal(data.Ref{Kind: kind, Key: "k"})
		require.NoError(t, err)
		var back data.Ref
		require.NoError(t, json.Unmarshal(b, &back))
		require.Equal(t, data.Ref{Kind: kind, Key: "k"}, back)
	}
	_, err := data.ParseKind("spaceship")
	require.ErrorContains(t, err, "unknown kind")
	var ref data.Ref
	require.ErrorContains(t, json.Unmarshal([]byte(`{"kind": "spaceship"}`), &ref), "unknown kind")
	require.Equal(t, "kind(200)", data.Kind(200).String())
	require.Equal(t, "class(9)", data.Class(9).String())
	b, err := json.Marshal(data.ClassUserIdentity)
	require.NoError(t, err)
	require.Equal(t, `"user_identity"`, string(b))
}

func TestConstructors_EveryKind_HasOne(t *testing.T) {
	t.Parallel()
	made := []data.Resource{
		data.PlainSpace("k", "n"), data.Site("k", "n"), data.Property("k", "n"), data.Room("k", "n"), data.CommonArea("k", "n"),
		data.Unit("k", "n"), data.Facility("k", "n"), data.Building("k", "n"), data.Listing("k", "n"), data.PropertyListing("k", "n"),
		data.PlainUserIdentity("k", "n"), data.Guest("k", "n"), data.Tenant("k", "n"), data.Resident("k", "n"), data.User("k", "n"), data.StaffMember("k", "n"),
		data.PlainAccessGrant("k", data.Ref{}), data.Reservation("k", data.Ref{}), data.Booking("k", data.Ref{}),
	}
	var want []data.Ref
	for _, kind := range data.Kinds() {
		want = append(want, data.Ref{Kind: kind, Key: "k"})
	}
	var got []data.Ref
	for _, r := range made {
		got = append(got, r.Ref())
	}
	require.Equal(t, want, got)
}
