package validation_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/validation"
)

func TestError_OneFault_TextHasPathAndMessage(t *testing.T) {
	t.Parallel()
	err := &validation.Error{Faults: []validation.Finding{{Path: "rooms[0].name", Rule: validation.RuleRequired, Message: "is required"}}}
	require.EqualError(t, err, "invalid input: 1 fault: rooms[0].name: is required")
}

func TestError_ManyFaults_TextHasTheFirst20(t *testing.T) {
	t.Parallel()
	err := &validation.Error{OmittedFaults: 3}
	for i := range 25 {
		err.Faults = append(err.Faults, validation.Finding{Path: fmt.Sprint("rooms[", i, "]"), Message: "is wrong"})
	}
	require.Contains(t, err.Error(), "invalid input: 28 faults: rooms[0]: is wrong; rooms[1]: is wrong;")
	require.Contains(t, err.Error(), "; rooms[19]: is wrong; and 8 more")
}

func TestError_FaultsWithCauses_MatchesErrInvalidAndTheCauses(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := error(&validation.Error{Faults: []validation.Finding{{Message: "no cause"}, {Message: "has a cause", Cause: cause}}})
	require.ErrorIs(t, err, validation.ErrInvalid)
	require.ErrorIs(t, err, cause)
	require.NotErrorIs(t, err, errors.New("cause"))
}
