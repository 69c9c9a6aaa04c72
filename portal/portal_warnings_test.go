package portal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// TestCreate_WarningsBeyondTheListed_AreCountedOnce creates a portal whose configuration and push each have a fault and more
// warnings than an error lists.
func TestCreate_WarningsBeyondTheListed_AreCountedOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const given, most = 12_000, 10_000
		var unknown strings.Builder
		for i := range given {
			fmt.Fprintf(&unknown, `, "x%d": 0`, i)
		}
		var c portal.Config
		require.NoError(t, c.UnmarshalJSON([]byte(`{"locale": "xx"`+unknown.String()+`}`)))
		var d data.CustomerData
		require.NoError(t, d.UnmarshalJSON([]byte(`{"customer_key": "c"`+unknown.String()+`}`)))
		d.Add(data.Room("1", ""))
		_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: &d, Config: c})
		require.Equal(t, []string{"locale format", "customer_data.rooms[0].name required"}, faults(t, err))
		var invalid *validation.Error
		require.ErrorAs(t, err, &invalid)
		require.Len(t, invalid.Warnings, most+1)
		var leftOut []validation.Finding
		for _, w := range invalid.Warnings {
			if w.Rule == validation.RuleLeftOut {
				leftOut = append(leftOut, w)
			}
		}
		require.Equal(t, []validation.Finding{{Rule: validation.RuleLeftOut, Message: fmt.Sprintf("%d more warnings were found and are not listed", 2*given-most)}}, leftOut)
	})
}
