// Package proofs holds the harnesses that show the library's promises across its
// packages: processes that are killed, calls that fail, histories that must be
// linearizable, bytes that must be gone, visitors who attack. Its tests are short by
// default; environment variables make them long:
//
//	PROOFS_KILLS      kills of a process that pushes, syncs, deletes and opens portals; default 20
//	PROOFS_HISTORIES  histories of concurrent transactions for each backend; default 20
//	PROOFS_GUESSES    guesses of links at a running server; default 4000
//	PROOFS_STRANGERS  all: everything that names something of another customer in every place
//	PROOFS_SEED       the seed of what is random; default a new one, which is printed
//
// docs/reliability.md says what each has found, and how it was tried.
package proofs
