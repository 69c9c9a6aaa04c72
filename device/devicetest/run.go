package devicetest

import (
	"slices"
	"testing"
)

// check tests one guarantee of the contract in a world of its own.
type check struct {
	name string
	run  func(s *suite)
}

// group is a list of checks of one topic.
type group struct {
	name   string
	checks []check
}

var groups = []group{
	{"Connect", connectChecks},
	{"Devices", inventoryChecks},
	{"Do", commandChecks},
	{"Context", contextChecks},
	{"Codes", slices.Concat(codeChecks, codeFaultChecks)},
	{"Watch", watchChecks},
	{"Losses", lossChecks},
	{"Secrets", secretChecks},
}

// Run runs all checks against a driver.
func Run(t *testing.T, target Target) {
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			if target.Parallel {
				t.Parallel()
			}
			for _, c := range g.checks {
				t.Run(c.name, func(t *testing.T) {
					if target.Parallel {
						t.Parallel()
					}
					runCheck(t, target, c)
				})
			}
		})
	}
}

// runCheck runs one check. In tests of this package, tb records the result.
func runCheck(tb testing.TB, target Target, c check) {
	c.run(newSuite(tb, target))
}
