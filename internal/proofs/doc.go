// Package proofs contains long-running tests of guarantees that concern several packages: processes are killed, calls
// fail, concurrent histories must be linearizable, erased bytes must be gone, and visitors attack. By default the tests
// are short. Environment variables make them longer:
//
//	PROOFS_KILLS         number of times that a process is killed while it writes; default 12
//	PROOFS_DEVICE_KILLS  the same for a process that commands devices; default 5
//	PROOFS_CODE_KILLS    the same for a process that programs access codes; default 5
//	PROOFS_HISTORIES     number of concurrent histories for each backend; default 10
//	PROOFS_GUESSES       number of codes that are guessed at a running server; default 4000
//	PROOFS_ISOLATION     "all" tries every identifier of another customer in every place
//	PROOFS_FAULTS        "all" makes every call of the store fail once
//	PROOFS_SEED          the seed of random choices; the default is random and printed
//
// docs/reliability.md describes the results.
package proofs
