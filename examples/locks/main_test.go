package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun_EachStep_PrintsTheCallsToTheVendor(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, `
a reservation of two rooms is pushed:
issue   reservation stay-1  doors lisbon-101, lisbon-102  from 2030-06-01T15:00:00.000000Z to 2030-06-03T11:00:00.000000Z

the guest stays a day longer:
change  reservation stay-1  doors lisbon-101, lisbon-102  from 2030-06-01T15:00:00.000000Z to 2030-06-04T11:00:00.000000Z

the same reservation is pushed again:

a room is closed:
change  reservation stay-1  doors lisbon-101  from 2030-06-01T15:00:00.000000Z to 2030-06-04T11:00:00.000000Z

the guest leaves:
revoke  reservation stay-1
`, out.String())
}
