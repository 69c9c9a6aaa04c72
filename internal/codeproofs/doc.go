// Package codeproofs tests the access codes on locks with random schedules: stays that are booked, moved and cancelled, deletions,
// other mappings, outages, rejections, full locks, people who change codes at a lock, clock changes in both directions, restarts
// and a second service. At every quiet moment, an oracle compares the simulated locks with a model of the host's records. The oracle
// was written from the rules for access codes, without knowledge of the code that it tests. It compares locks, not rows. The
// listed access codes are only used as claims: they say which PIN belongs to which access grant, and the locks must agree.
//
// A schedule that fails is shrunk, and printed as JSON. Environment variables change the schedules:
//
//	CODEPROOFS_SERVICE_SEEDS  number of seeds of schedules that run with package access; default 1, and 4 at full size
//	CODEPROOFS_SEEDS          number of seeds of the tests of the oracle; default 4
//	CODEPROOFS_FIRST          the first seed; default 1
//	CODEPROOFS_STEPS          number of steps of each schedule; default 3000, and less with package access below full size
//	CODEPROOFS_SCHEDULE       a file with a schedule, as it was printed, to run with package access
//
// Files, in reading order:
//
//	step_test.go          the steps of a schedule and their generator
//	model_test.go         the host's records
//	needs_test.go         which codes they need
//	hotel_test.go         the simulated locks, and steps that happen to them
//	check_test.go         the oracle: comparison of the locks with the model
//	shrink_test.go        shrinks a schedule that fails
//	toy_test.go           a small system that is correct, or has a planted bug
//	harness_test.go       tests of the oracle with this system
//	service_test.go       the system with package access
//	service_read_test.go  its records, access codes and removals
//	codes_test.go         its tests
package codeproofs
