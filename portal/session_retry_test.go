package portal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// replaced is a store that a test replaces.
type replaced struct{ storage.Store }

// TestEditStaffMember_UpdateRunsAgain_RefusesTheTimes repeats the Update after a conflict at each of its reads.
func TestEditStaffMember_UpdateRunsAgain_RefusesTheTimes(t *testing.T) {
	t.Parallel()
	for reads := 0; ; reads++ {
		store := &replaced{memory.New()}
		f := setup(t, store)
		s := f.session(t, portal.Config{})
		conflict := backends.NewFault(store.Store, backends.Fault{Of: backends.Reads, After: reads, Err: func() error { return storage.ErrConflict }})
		store.Store = conflict
		edit := data.UserIdentity{Key: "kim", Name: "Kay", StartsAt: f.clock.Now()}
		_, err := s.EditStaffMember(t.Context(), edit, portal.WriteOptions{})
		require.Equal(t, []string{"starts_at not_a_field"}, faults(t, err), reads)
		if !conflict.Failed() {
			require.GreaterOrEqual(t, reads, 3)
			return
		}
	}
}
