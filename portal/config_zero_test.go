package portal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
)

// TestConfigCheck_ZeroConfig_HasNoFindings verifies that check can omit the zero Config.
func TestConfigCheck_ZeroConfig_HasNoFindings(t *testing.T) {
	t.Parallel()
	var notes jsonobject.Notes
	jsonobject.Check(&notes, "", new(Config).fields())
	require.Equal(t, jsonobject.Notes{}, notes)
	require.Equal(t, jsonobject.Notes{}, Config{}.check())

	withNotes := Config{}
	withNotes.notes.Fault("read_only", "", "is not a boolean")
	require.Len(t, withNotes.check().Faults, 1, "a Config with the faults of its JSON is not zero")
}
