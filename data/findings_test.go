package data_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// maxFindings is the maximum length of a list of faults or warnings.
const maxFindings = 10_000

func unknownFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `%q: 0,`, fmt.Sprint("x", i))
	}
	return strings.TrimSuffix(b.String(), ",")
}

// invalid returns the validation.Error in err.
func invalid(t *testing.T, err error) *validation.Error {
	t.Helper()
	var e *validation.Error
	require.True(t, errors.As(err, &e), "%.200v", err)
	return e
}

// requireOmitted checks that a list of findings has the maximum length and says that there are more.
func requireOmitted(t *testing.T, findings []validation.Finding, most int) {
	t.Helper()
	require.NotEmpty(t, findings)
	require.LessOrEqual(t, len(findings), most+1)
	require.Equal(t, validation.RuleLeftOut, findings[len(findings)-1].Rule)
}

// TestDecode_MoreWarningsThanListed_Succeeds decodes more warnings than are listed. Warnings alone do not refuse the input.
func TestDecode_MoreWarningsThanListed_Succeeds(t *testing.T) {
	eachIfFull(t, func(t *testing.T, ws *data.Workspace) {
		report, err := pushJSON(t, ws, `{"customer_key": "a", "rooms": [{"room_key": "1", "name": "One"}], `+unknownFields(maxFindings+100)+`}`)
		require.NoError(t, err)
		requireOmitted(t, report.Warnings, maxFindings)
		require.Len(t, report.Warnings, maxFindings+1)
		require.Equal(t, 1, report.Created.Total())

		body := `{"customer_key": "a", "rooms": [{"room_key": "1", "colour": "red"}], ` + unknownFields(maxFindings) + `}`
		_, err = ws.PushWith(t.Context(), decode(t, body), data.PushOptions{Strict: true})
		require.NotEmpty(t, invalid(t, err).Faults)
		_, err = ws.PushWith(t.Context(), decode(t, body), data.PushOptions{Strict: true, SkipInvalid: true})
		require.NotEmpty(t, invalid(t, err).Faults, "a warning that was left out may be one of a resource")

		var sel data.Selection
		require.NoError(t, sel.UnmarshalJSON([]byte(`{"room_keys": ["1"], `+unknownFields(maxFindings+100)+`}`)))
		deleted, err := ws.Delete(t.Context(), sel)
		require.NoError(t, err)
		require.Len(t, deleted.Deleted, 1)
		requireOmitted(t, deleted.Warnings, maxFindings)
	})
}

// TestPush_MoreFaultsThanListed_RefusesEachInvalidResource makes more faults than are listed in decoding, in validation and in
// merging. A push refuses the input. A push with SkipInvalid stores exactly the resources without faults.
func TestPush_MoreFaultsThanListed_RefusesEachInvalidResource(t *testing.T) {
	testsize.SkipShort(t)
	eachIfFull(t, func(t *testing.T, ws *data.Workspace) {
		const validRoom = `{"room_key": "sound", "name": "Sound"}`
		for name, invalidRoom := range map[string]func(i int) string{
			"decoding":   func(i int) string { return fmt.Sprintf(`{"room_key": "r%d", "name": 1}`, i) },
			"validation": func(int) string { return `{}` },
			"merging":    func(i int) string { return fmt.Sprintf(`{"room_key": "r%d"}`, i) },
		} {
			var b strings.Builder
			for i := range maxFindings + 100 {
				b.WriteString(invalidRoom(i) + ",")
			}
			d := decode(t, `{"customer_key": "a", "rooms": [`+b.String()+validRoom+`]}`)
			_, err := ws.Push(t.Context(), d)
			e := invalid(t, err)
			require.Len(t, e.Faults, maxFindings, name)
			requireOmitted(t, e.Warnings, 0)
			require.Less(t, len(e.Error()), 5000)
			_, err = ws.Sync(t.Context(), d)
			require.Len(t, invalid(t, err).Faults, maxFindings, name)
			_, err = ws.Customer(t.Context(), "a")
			require.ErrorIs(t, err, data.ErrCustomerNotFound)

			report, err := ws.PushWith(t.Context(), d, data.PushOptions{SkipInvalid: true})
			require.NoError(t, err, name)
			require.Equal(t, 1, report.Created.Total(), name)
			require.Len(t, report.Resources, 1)
			require.Len(t, report.Skipped, maxFindings, name)
			requireOmitted(t, report.Warnings, 0)
			require.JSONEq(t, `{"customer_key": "a", "rooms": [`+validRoom+`]}`, export(t, ws, "a"))
			_, err = ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"a"}})
			require.NoError(t, err)
		}
	})
}

// TestPush_ManyFaults_ListsTenThousandAndCountsTheRest makes faults in decoding, in validation, and in a selection: 10,100 of
// each, and 100,000 at full size.
func TestPush_ManyFaults_ListsTenThousandAndCountsTheRest(t *testing.T) {
	t.Parallel()
	total := testsize.Pick(maxFindings+100, maxFindings+100, 100_000/race.Slowness(5))
	ws := workspace(memory.New())
	rooms := func(room string) data.CustomerData {
		return decode(t, `{"customer_key": "a", "rooms": [`+strings.Repeat(room+",", total-1)+room+`]}`)
	}
	for name, d := range map[string]data.CustomerData{
		"decoding":   rooms(`0`),
		"validation": rooms(`{"name": "x"}`),
	} {
		_, err := ws.Push(t.Context(), d)
		e := invalid(t, err)
		require.Len(t, e.Faults, maxFindings, name)
		require.Equal(t, total-maxFindings, e.OmittedFaults, name)
		require.Contains(t, err.Error(), fmt.Sprint(total, " faults"), name)
		require.Contains(t, err.Error(), fmt.Sprintf("and %d more", total-20), name)
		require.Equal(t, []validation.Finding{{Rule: validation.RuleLeftOut, Message: fmt.Sprintf("%d more faults were found and are not listed", total-maxFindings)}}, e.Warnings, name)

		report, err := ws.PushWith(t.Context(), d, data.PushOptions{SkipInvalid: true, DryRun: true})
		require.NoError(t, err)
		require.Len(t, report.Skipped, maxFindings, name)
		require.Equal(t, e.Warnings, report.Warnings, name)
	}
	var sel data.Selection
	require.NoError(t, sel.UnmarshalJSON([]byte(`{"room_keys": [`+strings.Repeat(`"",`, total-1)+`""]}`)))
	_, err := ws.Delete(t.Context(), sel)
	require.Equal(t, total-maxFindings, invalid(t, err).OmittedFaults)
}

// TestStrict_ManyFindings_ListsTenThousandAndCountsTheRest pushes with Strict. Warnings are then faults, and no fault says that
// others are not listed.
func TestStrict_ManyFindings_ListsTenThousandAndCountsTheRest(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	total := testsize.Pick(maxFindings+100, maxFindings+100, 15_000)
	ws := workspace(memory.New())
	many := func(element string, n int) string { return strings.Repeat(element+",", n-1) + element }
	strict := data.PushOptions{Strict: true}
	for name, row := range map[string]struct{ faults, warnings int }{
		"faults":               {faults: total},
		"warnings":             {warnings: total},
		"faults and warnings":  {faults: total, warnings: total},
		"few faults":           {faults: 1, warnings: total},
		"exactly the maximum":  {faults: maxFindings - 1, warnings: 1},
		"one over the maximum": {faults: maxFindings, warnings: 1},
	} {
		var rooms []string
		if row.faults > 0 {
			rooms = append(rooms, many(`{"room_key": "", "name": "x"}`, row.faults))
		}
		if row.warnings > 0 {
			rooms = append(rooms, many(`{"room_key": "r", "name": "x", "color": "red"}`, row.warnings))
		}
		d := decode(t, `{"customer_key": "a", "rooms": [`+strings.Join(rooms, ",")+`]}`)
		_, err := ws.PushWith(t.Context(), d, strict)
		e := invalid(t, err)
		require.Len(t, e.Faults, min(maxFindings, row.faults+row.warnings), name)
		require.Empty(t, e.Warnings, name)
		require.False(t, slices.ContainsFunc(e.Faults, func(f validation.Finding) bool { return f.Rule == validation.RuleLeftOut }), name)
		require.GreaterOrEqual(t, len(e.Faults)+e.OmittedFaults, row.faults+row.warnings, name)
	}
	var sel data.Selection
	require.NoError(t, sel.UnmarshalJSON([]byte(`{"room_keys": [`+many(`""`, total)+`]}`)))
	_, err := ws.DeleteWith(t.Context(), sel, data.DeleteOptions{Strict: true})
	e := invalid(t, err)
	require.Len(t, e.Faults, maxFindings)
	require.Equal(t, total-maxFindings, e.OmittedFaults)
}

// TestPush_ContextDone_ReturnsContextError pushes, syncs and deletes invalid input after the context was cancelled. The library
// does not validate all of it.
func TestPush_ContextDone_ReturnsContextError(t *testing.T) {
	t.Parallel()
	ws := workspace(memory.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := decode(t, `{"customer_key": "a", "rooms": [`+strings.Repeat("{},", 10_000)+`{}]}`)
	_, err := ws.Push(ctx, d)
	require.ErrorIs(t, err, context.Canceled)
	_, err = ws.Sync(ctx, d)
	require.ErrorIs(t, err, context.Canceled)
	_, err = ws.Delete(ctx, data.Selection{CustomerKeys: make([]string, 10_000)})
	require.ErrorIs(t, err, context.Canceled)
}

// TestFindings_LongNames_AreTruncated pushes long names that are in paths and messages.
func TestFindings_LongNames_AreTruncated(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	ws := workspace(memory.New())
	long := strings.Repeat("x", 1<<20)
	room := `{"room_key": "` + long + `", "` + long + `": 0, "name": 0}`
	_, err := ws.Push(t.Context(), decode(t, `{"customer_key": "a", "`+long+`": 0, "rooms": [`+room+`, `+room+`],
		"reservations": [{"reservation_key": "1", "custom_metadata": {"`+long+`": 0}}, {"reservation_key": "2", "custom_metadata": {"`+long+`": "x"}, "room_keys": ["`+long+`", "`+long+`"]}]}`))
	e := invalid(t, err)
	require.Greater(t, len(e.Faults), 8)
	for _, f := range append(e.Faults, e.Warnings...) {
		require.Less(t, len(f.Path)+len(f.Message), 500, "%.200s", f)
	}
}
