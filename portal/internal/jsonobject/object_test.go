package jsonobject_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

const most = 10_000 // the limit of listed faults and of listed warnings

// paths returns n different paths.
func paths(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("list[%d]", i)
	}
	return out
}

func TestNotes_100000Faults_ListsTenThousandAndCountsOthers(t *testing.T) {
	t.Parallel()
	all := paths(100_000)
	var notes jsonobject.Notes
	for _, path := range all {
		notes.Fault(path, validation.RuleType, "must be a string")
		notes.Warn(path, validation.RuleUnknownField, "is not a field")
	}
	require.Len(t, notes.Faults, most)
	require.Equal(t, len(all)-most, notes.Omitted.Faults)
	require.Len(t, notes.Listed(), most+1)
	require.Equal(t, validation.Finding{Rule: validation.RuleLeftOut, Message: "90000 more faults and 90000 more warnings were found and are not listed"}, notes.Listed()[most])

	for _, path := range all[:most] {
		notes.Fault(path, validation.RuleRequired, "is required")
	}
	require.Equal(t, len(all)-most, notes.Omitted.Faults, "there is one fault of a path")
	require.Equal(t, validation.RuleType, notes.Faults[0].Rule)

	var joined jsonobject.Notes
	joined.Join(notes)
	joined.Join(notes)
	require.Equal(t, notes.Faults, joined.Faults)
	require.Len(t, joined.Warnings, most)
}

// Recording a fault allocates only its message, and nothing once the limit is reached.
func TestNotes_MoreFaults_AllocateLinearly(t *testing.T) { //nolint:paralleltest // AllocsPerRun runs alone
	all := paths(200_000)
	allocs := func(n int) float64 {
		return testing.AllocsPerRun(1, func() {
			var notes jsonobject.Notes
			for _, path := range all[:n] {
				notes.Fault(path, validation.RuleType, "must be a string")
			}
		})
	}
	few, twice := allocs(most/2), allocs(most)
	require.LessOrEqual(t, twice, 2.5*few)
	require.LessOrEqual(t, allocs(200_000), 1.1*twice, "what is not listed is only counted")
}

// The elements of the list must not be read.
func TestObject_TooLongList_IsOneFault(t *testing.T) {
	t.Parallel()
	body := fmt.Sprintf(`{"texts": [%s0], "objects": [%[1]s0]}`, strings.Repeat("0,", 100_000))
	var notes jsonobject.Notes
	o, err := jsonobject.Parse([]byte(body), &notes)
	require.NoError(t, err)
	var texts []string
	o.Strings("texts", 20, &texts)
	require.False(t, o.Objects("objects", 30, func() {}, func(*jsonobject.Object) { require.Fail(t, "an element was read") }))
	require.Empty(t, texts)
	require.Equal(t, []validation.Finding{
		{Path: "texts", Rule: validation.RuleTooMany, Message: "at most 20"},
		{Path: "objects", Rule: validation.RuleTooMany, Message: "at most 30"},
	}, notes.Faults)
}

func TestObject_LongName_IsShortenedInItsPath(t *testing.T) {
	t.Parallel()
	var notes jsonobject.Notes
	o, err := jsonobject.Parse([]byte(`{"`+strings.Repeat("x", 100_000)+`": 0}`), &notes)
	require.NoError(t, err)
	o.Rest()
	require.Len(t, notes.Warnings, 1)
	require.Less(t, len(notes.Warnings[0].Path), 100)
}
