package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage"
)

// seedVariable is the environment variable that contains the seed.
const seedVariable = "STORAGETEST_SEED"

// RunPair runs the same random transactions on two stores and compares the results.
func RunPair(t *testing.T, a, b func(t *testing.T) storage.Store) {
	t.Run("random transactions have the same results in both stores", func(t *testing.T) {
		t.Parallel()
		watch(t)
		compare(t, a(t), b(t))
	})
}

var randomTests = []test{
	{"random transactions have the same results as a map", func(t *testing.T, s storage.Store) {
		compare(t, s, newModel())
	}},
}

func compare(t *testing.T, a, b storage.Store) {
	t.Helper()
	const transactions = 400
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range transactions {
		requireSameResults(t, seed, randomTx(rng), a, b)
	}
}

// seedOf returns the seed. The message of every failure contains it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	set := os.Getenv(seedVariable)
	if set == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(set, 10, 64)
	require.NoError(t, err, seedVariable)
	return seed
}

// requireSameResults runs a transaction on both stores, and compares its results and the
// contents of the stores.
func requireSameResults(t *testing.T, seed uint64, x transaction, a, b storage.Store) {
	t.Helper()
	require.Equal(t, x.run(testContext(t), b), x.run(testContext(t), a), "set %s=%d to repeat this:\n%v", seedVariable, seed, x)
	require.Equal(t, contents(t, b), contents(t, a), "contents; set %s=%d to repeat this:\n%v", seedVariable, seed, x)
}

// transaction is a random View or Update.
type transaction struct {
	view  bool
	steps []step
	end   ending
}

type ending string

const (
	endsNil   ending = "nil"
	endsError ending = "error"
	endsPanic ending = "panic"
)

var errRollback = errors.New("rolled back by the test")

// run returns the result of every step, and how the transaction ended.
func (x transaction) run(ctx context.Context, s storage.Store) (results []string) {
	defer func() {
		if p := recover(); p != nil {
			results = append(results, fmt.Sprint("panic: ", p))
		}
	}()
	finish := func() error {
		switch x.end {
		case endsError:
			return errRollback
		case endsPanic:
			panic(errRollback)
		default:
			return nil
		}
	}
	var err error
	if x.view {
		err = s.View(ctx, func(r storage.Reader) error {
			for _, st := range x.steps {
				results = append(results, st.read(ctx, r))
			}
			return finish()
		})
	} else {
		err = s.Update(ctx, func(tx storage.Tx) error {
			for _, st := range x.steps {
				results = append(results, st.write(ctx, tx))
			}
			return finish()
		})
	}
	return append(results, fmt.Sprint("returned ", err))
}

func (x transaction) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "view: %v, ends with %s\n", x.view, x.end)
	for _, st := range x.steps {
		fmt.Fprintf(&b, "  %+v\n", st)
	}
	return b.String()
}

// step is a call with its arguments.
type step struct {
	call       string // an element of readCalls or writeCalls
	keys       []string
	value      string
	start, end string
	options    storage.ScanOptions
}

var (
	readCalls  = []string{"get", "scan"}
	writeCalls = []string{"get", "scan", "scan", "put", "put", "put", "delete", "delete range", "delete range", "write while scanning"}
)

func (st step) read(ctx context.Context, r storage.Reader) string {
	if st.call == "scan" {
		return render(r.Scan(ctx, span(st.start, st.end), st.options))
	}
	var keys [][]byte
	for k := range bytesOf(st.keys) {
		keys = append(keys, k)
	}
	values, err := r.Get(ctx, keys...)
	var b strings.Builder
	for _, v := range values {
		b.WriteString(renderValue(v) + ";")
	}
	return fmt.Sprint(b.String(), err)
}

func (st step) write(ctx context.Context, tx storage.Tx) string {
	switch st.call {
	case "put":
		return fmt.Sprint(tx.Put([]byte(st.keys[0]), []byte(st.value)))
	case "delete":
		var keys [][]byte
		for k := range bytesOf(st.keys) {
			keys = append(keys, k)
		}
		return fmt.Sprint(tx.Delete(keys...))
	case "delete range":
		return fmt.Sprint(tx.DeleteRange(ctx, span(st.start, st.end)))
	case "write while scanning":
		var b strings.Builder
		todo := st.keys
		for e, err := range tx.Scan(ctx, span(st.start, st.end), st.options) {
			fmt.Fprintf(&b, "%q=%s,%v;", e.Key, renderValue(e.Value), err)
			if len(todo) > 0 {
				fmt.Fprint(&b, tx.Put([]byte(todo[0]), []byte(st.value)), tx.Delete(e.Key))
				todo = todo[1:]
			}
		}
		return b.String()
	default:
		return st.read(ctx, tx)
	}
}

// randomTx returns a random transaction.
func randomTx(rng *rand.Rand) transaction {
	x := transaction{view: rng.IntN(5) == 0, end: endsNil}
	switch rng.IntN(8) {
	case 0:
		x.end = endsError
	case 1:
		x.end = endsPanic
	}
	calls := writeCalls
	if x.view {
		calls = readCalls
	}
	for range 1 + rng.IntN(12) {
		st := step{
			call:    calls[rng.IntN(len(calls))],
			keys:    []string{randomKey(rng)},
			value:   strings.Repeat("v", rng.IntN(4)) + strconv.Itoa(rng.IntN(100)),
			start:   randomKey(rng),
			end:     randomKey(rng),
			options: storage.ScanOptions{Reverse: rng.IntN(2) == 0, KeysOnly: rng.IntN(3) == 0},
		}
		if rng.IntN(6) == 0 {
			st.value = ""
		}
		for range rng.IntN(3) {
			st.keys = append(st.keys, randomKey(rng))
		}
		if rng.IntN(4) == 0 {
			st.options.Limit = 1 + rng.IntN(4)
		}
		if st.start > st.end && rng.IntN(8) > 0 { // inverted ranges are less frequent
			st.start, st.end = st.end, st.start
		}
		x.steps = append(x.steps, st)
	}
	return x
}

// randomKey returns one of 42 keys, so that transactions often use the same keys.
func randomKey(rng *rand.Rand) string {
	const letters = "\x00ab\xff"
	var key string
	for range rng.IntN(3) {
		i := rng.IntN(len(letters))
		key += letters[i : i+1]
	}
	if rng.IntN(3) == 0 {
		key += "long tail"
	}
	return key
}
