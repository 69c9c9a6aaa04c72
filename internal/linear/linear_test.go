package linear

import (
	"math"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// The checker must detect histories that are not linearizable.
func TestLinearizabilityModel_Anomalies_AreDetected(t *testing.T) {
	t.Parallel()
	put := func(register, value int) transaction {
		return transaction{from: register, to: register + 1, puts: []assignment{{register, value}}}
	}
	see := transaction{view: true, to: registers}
	for name, ops := range map[string][]porcupine.Operation{
		"lost update": {
			{Input: put(0, 1), Output: outcome{true, values{}}, Call: 1, Return: 4},
			{Input: put(0, 2), Output: outcome{true, values{}}, Call: 2, Return: 3},
		},
		"lost write": {
			{Input: put(0, 1), Output: outcome{true, values{}}, Call: 1, Return: 2},
			{Input: see, Output: outcome{true, values{}}, Call: 3, Return: 4},
		},
		"write with no answer, seen and gone": {
			{Input: put(0, 1), Output: outcome{}, Call: 1, Return: math.MaxInt64},
			{Input: see, Output: outcome{true, values{1}}, Call: 3, Return: 4},
			{Input: see, Output: outcome{true, values{}}, Call: 5, Return: 6},
		},
		"skew": {
			{Input: transaction{from: 0, to: 2, puts: []assignment{{0, 1}}}, Output: outcome{true, values{}}, Call: 1, Return: 4},
			{Input: transaction{from: 0, to: 2, puts: []assignment{{1, 1}}}, Output: outcome{true, values{}}, Call: 2, Return: 3},
		},
	} {
		require.False(t, (&History{ops: ops}).Linearizable(), name)
	}
}
