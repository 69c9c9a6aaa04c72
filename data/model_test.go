package data_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// sequenceLength is the number of operations on one workspace.
const sequenceLength = 400

// TestModel_RandomOperations_MatchOracle runs random operations on a few customers, with every kind of resource, and compares
// each report, the state and the change feed with the oracle's. It runs 1,600 operations on each backend, and 100,000 at full
// size. DATA_MODEL_SEED repeats a run, and DATA_MODEL_OPS sets the number of operations.
func TestModel_RandomOperations_MatchOracle(t *testing.T) {
	t.Parallel()
	seed, ops := rand.Uint64(), testsize.Pick(800, 1_600, 30_000)/raceSlowness
	if s := os.Getenv("DATA_MODEL_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	if s := os.Getenv("DATA_MODEL_OPS"); s != "" {
		var err error
		ops, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	t.Logf("DATA_MODEL_SEED=%d DATA_MODEL_OPS=%d", seed, ops)
	for b, backend := range backends.All(t) {
		for planned := range 2 {
			t.Run(fmt.Sprintf("%s, planned on snapshots %v", backend.Name, planned == 1), func(t *testing.T) {
				t.Parallel()
				store, _ := backend.Open(t)
				t.Cleanup(func() { require.NoError(t, store.Close()) })
				for sequence := range max(1, (ops+2*sequenceLength-1)/(2*sequenceLength)) {
					operations := generateOperations(rand.New(rand.NewPCG(seed, uint64(sequence*4+b*2+planned))), sequenceLength)
					err := runModel(t.Context(), store, planned == 1, operations)
					if err == nil {
						continue
					}
					shortest, shortErr := shrink(t.Context(), operations, planned == 1)
					if shortErr == nil { // the operations fail on this backend only
						shortest, shortErr = operations, err
					}
					var lines []string
					for _, op := range shortest {
						lines = append(lines, op.String())
					}
					t.Fatalf("DATA_MODEL_SEED=%d: %v\n%d operations, shrunk to %d:\n%s\nwhich fail with: %v",
						seed, err, len(operations), len(shortest), strings.Join(lines[:min(len(lines), 40)], "\n"), shortErr)
				}
			})
		}
	}
}

// shrink removes operations and resources as long as the remaining operations fail, and returns them with their error.
func shrink(ctx context.Context, ops []modelOp, planned bool) ([]modelOp, error) {
	fails := func(ops []modelOp) error { return runModel(ctx, memory.New(), planned, ops) }
	err := fails(ops)
	if err == nil {
		return nil, nil
	}
	runs := 0
	try := func(shorter []modelOp) bool {
		if runs++; runs > 3000 {
			return false
		}
		if e := fails(shorter); e != nil {
			ops, err = shorter, e
			return true
		}
		return false
	}
	for size := len(ops) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(ops); {
			if !try(slices.Delete(slices.Clone(ops), from, from+size)) {
				from += size
			}
		}
	}
	for again := true; again; {
		again = false
		for i := range ops {
			for j := len(ops[i].Resources) - 1; j >= 0; j-- {
				shorter := slices.Clone(ops)
				shorter[i].Resources = slices.Delete(slices.Clone(ops[i].Resources), j, j+1)
				again = try(shorter) || again
			}
			for j := len(ops[i].Keys) - 1; j >= 0; j-- {
				shorter := slices.Clone(ops)
				shorter[i].Keys = slices.Delete(slices.Clone(ops[i].Keys), j, j+1)
				again = try(shorter) || again
			}
		}
		for i := len(ops) - 1; i >= 0; i-- {
			again = try(slices.Delete(slices.Clone(ops), i, i+1)) || again
		}
	}
	return ops, err
}

// runModel runs operations on a new workspace. It returns an error if a result differs from the oracle's.
func runModel(ctx context.Context, store storage.Store, planned bool, ops []modelOp) error {
	ws, o := workspaceOf(store, uuid.New()), newOracle()
	if planned {
		ws.PlanOnSnapshots()
	}
	for i, op := range ops {
		var err error
		o.now = i + 1
		switch op.Action {
		case "delete":
			err = modelDelete(ctx, ws, o, op)
		case "undo":
			err = modelUndo(ctx, ws, o, op)
		default:
			err = modelPush(ctx, ws, o, op)
		}
		switch {
		case err != nil:
		case op.Sweep == 5:
			_, err = data.Open(store, data.Options{}).Sweep(ctx)
		case op.Sweep > 0:
			err = data.SweepPart(ctx, store, op.Sweep)
		}
		if err == nil && (i%10 == 9 || i == len(ops)-1) {
			err = modelState(ctx, ws, o)
		}
		if err != nil {
			return fmt.Errorf("operation %d, %s: %w", i, op, err)
		}
	}
	if err := modelFeed(ctx, ws, o); err != nil {
		return err
	}
	for range 2 {
		report, err := data.Open(store, data.Options{}).VerifyStore(ctx)
		if err != nil {
			return err
		}
		if report.Damages > 0 {
			return fmt.Errorf("the store is damaged: %v", report.Damage[0])
		}
		if _, err := data.Open(store, data.Options{}).Sweep(ctx); err != nil {
			return err
		}
	}
	return nil
}

func requireSameSet(what string, want, got []string) error {
	want, got = slices.Clone(want), slices.Clone(got)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Errorf("%s: want %q, got %q", what, want, got)
	}
	return nil
}

// faultsIn returns the paths and rules of a validation.Error. It reports whether err is such an error or nil.
func faultsIn(err error) ([]string, bool) {
	var invalid *validation.Error
	if err == nil {
		return nil, true
	}
	return pathsAndRules(func() []validation.Finding {
		if errors.As(err, &invalid) {
			return invalid.Faults
		}
		return nil
	}()), invalid != nil
}

func modelPush(ctx context.Context, ws *data.Workspace, o *oracle, op modelOp) error {
	var d data.CustomerData
	if err := json.Unmarshal([]byte(op.wire()), &d); err != nil {
		return err
	}
	want, apply := o.push(op)
	var report data.SyncReport
	var err error
	if op.Action == "sync" {
		report, err = ws.SyncWith(ctx, d, data.SyncOptions{
			DryRun: op.DryRun, MaxDeletes: op.MaxDeletes, All: op.All, KeepPortalChanges: op.KeepPortalChanges, Actor: op.Actor,
		})
	} else {
		report.PushReport, err = ws.PushWith(ctx, d, data.PushOptions{
			Replace: op.Replace, SkipInvalid: op.SkipInvalid, Strict: op.Strict, DryRun: op.DryRun, KeepPortalChanges: op.KeepPortalChanges, Actor: op.Actor,
		})
	}
	got, isInvalid := faultsIn(err)
	if !isInvalid {
		return err
	}
	changes, portal, ids := []string{}, []string{}, map[string]string{}
	for _, r := range report.Resources {
		line := fmt.Sprintf("%s %s", r.Kind, r.Key)
		changes = append(changes, string(r.Change)+" "+line)
		ids[line] = r.ID.String()
		if p := r.Portal; p != nil {
			for _, name := range p.Kept {
				portal = append(portal, line+" kept "+name)
			}
			for _, name := range p.Overwritten {
				portal = append(portal, line+" overwritten "+name)
			}
			if p.TakenOver {
				portal = append(portal, line+" taken over")
			}
			if p.Cancelled {
				portal = append(portal, line+" cancelled")
			}
			if reflect.DeepEqual(*p, data.PortalChanges{}) {
				return fmt.Errorf("the report of changes in a portal of %s is empty", line)
			}
		}
		old := o.customers[op.Customer][refKey(r.Kind.String(), r.Key)]
		switch {
		case r.Change == data.Cancelled:
			if r.ID != uuid.Nil {
				return fmt.Errorf("%s is cancelled and has an id", line)
			}
		case r.Change == data.Created && op.DryRun:
			if r.ID != uuid.Nil {
				return fmt.Errorf("a dry run gave %s an id", line)
			}
		case r.Change == data.Created:
			if o.ids[ids[line]] {
				return fmt.Errorf("%s has the id of an earlier resource", line)
			}
			o.ids[ids[line]] = true
		case old.id != ids[line]:
			return fmt.Errorf("%s has another id", line)
		}
	}
	var deleted, detached []string
	for _, d := range report.Deleted {
		deleted = append(deleted, fmt.Sprintf("%s %s %s", d.CustomerKey, d.Kind, d.Key))
	}
	for _, d := range report.Detached {
		detached = append(detached, fmt.Sprintf("%s %s -> %s", d.CustomerKey, d.From, d.To))
	}
	tallies := report.Created.Total() + report.Updated.Total() + report.Unchanged.Total() + report.Cancelled.Total()
	if err := errors.Join(
		requireSameSet("customer updated", []string{fmt.Sprint(want.updated)}, []string{fmt.Sprint(report.CustomerUpdated)}),
		requireSameSet("faults", want.faults, got), requireSameSet("skipped", want.skipped, pathsAndRules(report.Skipped)),
		requireSameSet("warnings", want.warnings, pathsAndRules(report.Warnings)), requireSameSet("changes", want.changes, changes),
		requireSameSet("deleted", want.deleted, deleted), requireSameSet("detached", want.detached, detached),
		requireSameSet("changes in portals", want.portal, portal), requireSameSet("tallies", []string{fmt.Sprint(len(changes))}, []string{fmt.Sprint(tallies)}),
	); err != nil {
		return err
	}
	if apply != nil && !op.DryRun {
		apply(ids)
	}
	return nil
}

func modelDelete(ctx context.Context, ws *data.Workspace, o *oracle, op modelOp) error {
	sel := data.Selection{CustomerKey: op.Customer, CustomerKeys: op.Customers}
	for _, k := range op.Keys {
		kind, err := data.ParseKind(k[0])
		if err != nil {
			return err
		}
		sel.Resources = append(sel.Resources, data.Ref{Kind: kind, Key: k[1]})
	}
	want, apply := o.delete(op)
	plan, err := ws.DeleteWith(ctx, sel, data.DeleteOptions{DryRun: true, Actor: op.Actor})
	report := plan
	if !op.DryRun && err == nil {
		if report, err = ws.DeleteWith(ctx, sel, data.DeleteOptions{Actor: op.Actor}); !reflect.DeepEqual(plan, report) {
			return fmt.Errorf("the plan is %+v, but the report is %+v", plan, report)
		}
	}
	got, isInvalid := faultsIn(err)
	if !isInvalid {
		return err
	}
	var deleted, detached, notFound []string
	for _, d := range report.Deleted {
		deleted = append(deleted, fmt.Sprintf("%s %s %s", d.CustomerKey, d.Kind, d.Key))
		if r := o.customers[d.CustomerKey][refKey(d.Kind.String(), d.Key)]; r == nil || r.id != d.ID.String() {
			return fmt.Errorf("%v was deleted with another id", d)
		}
	}
	for _, d := range report.Detached {
		detached = append(detached, fmt.Sprintf("%s %s -> %s", d.CustomerKey, d.From, d.To))
	}
	for _, ref := range report.NotFound {
		notFound = append(notFound, ref.String())
	}
	if err := errors.Join(
		requireSameSet("faults", want.faults, got), requireSameSet("deleted", want.deleted, deleted), requireSameSet("detached", want.detached, detached),
		requireSameSet("not found", want.notFound, notFound), requireSameSet("customers", want.customers, report.Customers),
		requireSameSet("customers not found", want.customersNotFound, report.CustomersNotFound),
	); err != nil {
		return err
	}
	if apply != nil && !op.DryRun {
		apply()
	}
	return nil
}

// modelUndo undoes the cancellation of a resource in a portal.
func modelUndo(ctx context.Context, ws *data.Workspace, o *oracle, op modelOp) error {
	kind, err := data.ParseKind(op.Keys[0][0])
	if err != nil {
		return err
	}
	if c := o.cancelled[op.Customer][refKey(op.Keys[0][0], op.Keys[0][1])]; c != nil && o.now-c.at > 50 {
		return nil // the ten minutes for an undo may have passed
	}
	want, apply := o.undo(op)
	r, err := ws.UndoCancel(ctx, op.Customer, data.Ref{Kind: kind, Key: op.Keys[0][1]}, op.Actor, nil)
	got := ""
	switch {
	case err == nil:
		apply()
		r := o.customers[op.Customer][refKey(r.Ref().Kind.String(), r.Ref().Key)]
		if r == nil {
			return errors.New("another resource was restored")
		}
	case errors.Is(err, data.ErrCustomerNotFound):
		got = "no customer"
	case errors.Is(err, data.ErrResourceNotFound):
		got = "not found"
	case errors.Is(err, data.ErrNotUndone):
		got = "not undone"
	default:
		return err
	}
	if want != got {
		return fmt.Errorf("undo: want %q, got %q: %w", want, got, err)
	}
	return nil
}
