package data

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/layout"
)

func TestCustomerIDs_MoreThanMaximum_ForgetsOthers(t *testing.T) {
	t.Parallel()
	var ids customerIDs
	_, known := ids.lookUp(customerName{key: "acme"})
	require.False(t, known)
	for n := range 2 * maxCustomerIDs {
		ids.remember(customerName{key: fmt.Sprint(n)}, layout.CustomerID{byte(n)})
		id, known := ids.lookUp(customerName{key: fmt.Sprint(n)})
		require.True(t, known)
		require.Equal(t, layout.CustomerID{byte(n)}, id)
	}
	require.Len(t, ids.ids, maxCustomerIDs)
	for name := range ids.ids { // an update does not add an entry
		ids.remember(name, layout.CustomerID{255})
	}
	require.Len(t, ids.ids, maxCustomerIDs)
}
