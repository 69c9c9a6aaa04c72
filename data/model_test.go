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
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

// sequenceLength is how many operations are made on one workspace.
const sequenceLength = 400

// TestModel makes random operations on a few customers, of every kind of resource, and
// compares each report, the state and the change feed with the oracle's. DATA_MODEL_SEED
// repeats a run, and DATA_MODEL_OPS sets how many operations there are on each backend.
func TestModel(t *testing.T) {
	t.Parallel()
	seed, ops := rand.Uint64(), 100_000/raceSlowness
	if testing.Short() {
		ops = 4_000 / raceSlowness
	}
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
					operations := generate(rand.New(rand.NewPCG(seed, uint64(sequence*4+b*2+planned))), sequenceLength)
					err := runModel(t.Context(), store, planned == 1, operations)
					if err == nil {
						continue
					}
					shortest, shortErr := shrink(t.Context(), operations, planned == 1)
					if shortErr == nil { // only this backend fails
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

// shrink looks for a short part of the operations that fails too.
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
			for j := len(ops[i].Given) - 1; j >= 0; j-- {
				shorter := slices.Clone(ops)
				shorter[i].Given = slices.Delete(slices.Clone(ops[i].Given), j, j+1)
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

// generate makes operations that depend on nothing but the source of randomness.
func generate(r *rand.Rand, n int) []modelOp {
	customer := func() string { return fmt.Sprint("c", r.IntN(3)) }
	key := func() string { return fmt.Sprint("k", r.IntN(9)) }
	chance := func(percent int) bool { return r.IntN(100) < percent }
	keys := func() []string {
		out := []string{}
		for _, i := range r.Perm(9)[:r.IntN(4)] {
			out = append(out, fmt.Sprint("k", i))
		}
		return out
	}
	allKinds := slices.Concat(oracleKinds["space"], oracleKinds["user_identity"], oracleKinds["access_grant"])
	// A key is mostly of the same kind, so that not every push is refused for a conflict.
	homes := [][]string{
		strings.Fields("site site space room unit common_area property_listing property facility"),
		strings.Fields("guest guest guest tenant resident user user_identity staff_member staff_member"),
		strings.Fields("reservation reservation reservation reservation booking booking booking access_grant access_grant"),
	}
	resource := func() given {
		i := r.IntN(9)
		g := given{kind: homes[r.IntN(3)][i], key: fmt.Sprint("k", i), fields: map[string]any{}}
		if chance(20) {
			g.kind = allKinds[r.IntN(len(allKinds))]
		}
		set := func(percent int, name string, value func() any) {
			switch {
			case !chance(percent):
			case chance(12):
				g.fields[name] = nil
			default:
				g.fields[name] = value()
			}
		}
		text := func() any { return []string{"", "A", "B", "C"}[min(r.IntN(12), 3)] }
		if chance(94) {
			g.fields["name"] = []string{"A", "B", "C"}[r.IntN(3)]
		} else {
			set(50, "name", text)
		}
		switch classOf(g.kind) {
		case "space":
			if slices.Contains(strings.Fields("space room unit common_area"), g.kind) {
				set(60, "parent_site_key", func() any { return key() })
			}
		case "user_identity":
			set(30, "phone_number", text)
			set(40, "email_address", func() any { return []string{"", "a@x.example", "A@x.example", "a@X.EXAMPLE", "b@x.example"}[r.IntN(5)] })
			if g.kind == "staff_member" {
				for _, alias := range []string{"site_keys", "room_keys", "unit_keys"} {
					set(40, alias, func() any { return keys() })
				}
			}
		default:
			if chance(70) {
				set(100, oracleUsers[r.IntN(len(oracleUsers))], func() any { return key() })
			}
			for _, alias := range []string{"space_keys", "room_keys", "property_listing_keys"} {
				set(40, alias, func() any { return keys() })
			}
			set(40, "starts_at", func() any { return data.FormatTime(day(float64(r.IntN(5)))) })
			set(40, "ends_at", func() any { return data.FormatTime(day(float64(3 + r.IntN(5)))) })
		}
		if g.kind == "property_listing" || g.kind == "reservation" {
			set(40, "custom_metadata", func() any {
				m := map[string]any{}
				for _, name := range []string{"a", "b"} {
					switch r.IntN(4) {
					case 0:
						m[name] = r.IntN(2) == 0
					case 1:
						m[name] = "x"
					case 2:
						m[name] = nil
					}
				}
				return m
			})
		}
		return g
	}
	ops := make([]modelOp, n)
	for i := range ops {
		op := &ops[i]
		op.Sweep = max(0, r.IntN(12)-6)
		if chance(45) {
			op.Actor = []data.Actor{
				{Type: data.ActorAutomation, Name: "tidy"}, {Type: data.ActorConnector, Name: "ical"},
				{Type: data.ActorPortal, PortalID: uuid.UUID{byte(1 + r.IntN(2))}},
			}[min(r.IntN(6), 2)]
		}
		switch p := r.IntN(100); {
		case p < 68:
			op.What, op.Customer = "push", customer()
			op.Keep = chance(40)
			op.Replace, op.Skip, op.Dry = chance(10), chance(15), chance(8)
			op.Strict = !op.Skip && chance(5)
		case p < 74:
			op.What, op.Customer, op.Keys = "undo", customer(), [][2]string{{allKinds[r.IntN(len(allKinds))], key()}}
			continue
		case p < 82:
			op.What, op.Customer, op.Dry = "sync", customer(), chance(15)
			op.Keep, op.All = chance(40), chance(25)
			if chance(30) {
				most := r.IntN(8)
				op.Most = &most
			}
		default:
			op.What, op.Dry = "delete", chance(15)
			if chance(40) {
				op.Actor = data.Actor{Type: data.ActorPortal, PortalID: uuid.UUID{1}}
			}
			for range 1 + r.IntN(3) {
				op.Keys = append(op.Keys, [2]string{allKinds[r.IntN(len(allKinds))], key()})
			}
			switch {
			case chance(10):
				op.Customer = customer()
			case chance(20):
				op.Customers = []string{customer()}
			}
			continue
		}
		op.Own = map[string]any{}
		if chance(25) {
			op.Own["customer_name"] = []any{nil, "", "A", "B"}[r.IntN(4)]
		}
		if chance(25) {
			op.Own["customer_time_zone"] = []any{nil, "Europe/Lisbon", "Asia/Tokyo"}[r.IntN(3)]
		}
		for range 1 + r.IntN(8) {
			op.Given = append(op.Given, resource())
		}
		// As the collections lie in the JSON that is made of them.
		slices.SortStableFunc(op.Given, func(a, b given) int {
			return strings.Compare(oracleCollections[a.kind], oracleCollections[b.kind])
		})
	}
	return ops
}

// runModel makes operations on a new workspace, and says where it differs from the oracle.
func runModel(ctx context.Context, store storage.Store, planned bool, ops []modelOp) error {
	ws, o := workspaceOf(store, uuid.New()), newOracle()
	if planned {
		ws.PlanOnSnapshots()
	}
	for i, op := range ops {
		var err error
		o.now = i + 1
		switch op.What {
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
		report, err := data.Open(store, data.Options{}).Check(ctx)
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

func sameSet(what string, want, got []string) error {
	want, got = slices.Clone(want), slices.Clone(got)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Errorf("%s: want %q, got %q", what, want, got)
	}
	return nil
}

// faultsOf returns the paths and rules of a validation.Error, and false for another error.
func faultsOf(err error) ([]string, bool) {
	var invalid *validation.Error
	if err == nil {
		return nil, true
	}
	return found(func() []validation.Finding {
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
	if op.What == "sync" {
		report, err = ws.SyncWith(ctx, d, data.SyncOptions{
			DryRun: op.Dry, MaxDeletes: op.Most, All: op.All, KeepPortalChanges: op.Keep, Actor: op.Actor,
		})
	} else {
		report.PushReport, err = ws.PushWith(ctx, d, data.PushOptions{
			Replace: op.Replace, SkipInvalid: op.Skip, Strict: op.Strict, DryRun: op.Dry, KeepPortalChanges: op.Keep, Actor: op.Actor,
		})
	}
	got, known := faultsOf(err)
	if !known {
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
		old := o.customers[op.Customer][place(r.Kind.String(), r.Key)]
		switch {
		case r.Change == data.Cancelled:
			if r.ID != uuid.Nil {
				return fmt.Errorf("%s is cancelled and has an id", line)
			}
		case r.Change == data.Created && op.Dry:
			if r.ID != uuid.Nil {
				return fmt.Errorf("a dry run gave %s an id", line)
			}
		case r.Change == data.Created:
			if o.ids[ids[line]] {
				return fmt.Errorf("%s has an id that was given before", line)
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
		sameSet("customer updated", []string{fmt.Sprint(want.updated)}, []string{fmt.Sprint(report.CustomerUpdated)}),
		sameSet("faults", want.faults, got), sameSet("skipped", want.skipped, found(report.Skipped)),
		sameSet("warnings", want.warnings, found(report.Warnings)), sameSet("changes", want.changes, changes),
		sameSet("deleted", want.deleted, deleted), sameSet("detached", want.detached, detached),
		sameSet("changes in portals", want.portal, portal), sameSet("tallies", []string{fmt.Sprint(len(changes))}, []string{fmt.Sprint(tallies)}),
	); err != nil {
		return err
	}
	if apply != nil && !op.Dry {
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
	if !op.Dry && err == nil {
		if report, err = ws.DeleteWith(ctx, sel, data.DeleteOptions{Actor: op.Actor}); !reflect.DeepEqual(plan, report) {
			return fmt.Errorf("planned %+v and did %+v", plan, report)
		}
	}
	got, known := faultsOf(err)
	if !known {
		return err
	}
	var deleted, detached, notFound []string
	for _, d := range report.Deleted {
		deleted = append(deleted, fmt.Sprintf("%s %s %s", d.CustomerKey, d.Kind, d.Key))
		if r := o.customers[d.CustomerKey][place(d.Kind.String(), d.Key)]; r == nil || r.id != d.ID.String() {
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
		sameSet("faults", want.faults, got), sameSet("deleted", want.deleted, deleted), sameSet("detached", want.detached, detached),
		sameSet("not found", want.notFound, notFound), sameSet("customers", want.customers, report.Customers),
		sameSet("no such customers", want.noSuch, report.CustomersNotFound),
	); err != nil {
		return err
	}
	if apply != nil && !op.Dry {
		apply()
	}
	return nil
}

// modelUndo restores a resource that was cancelled in a portal not long ago.
func modelUndo(ctx context.Context, ws *data.Workspace, o *oracle, op modelOp) error {
	kind, err := data.ParseKind(op.Keys[0][0])
	if err != nil {
		return err
	}
	if c := o.cancelled[op.Customer][place(op.Keys[0][0], op.Keys[0][1])]; c != nil && o.now-c.at > 50 {
		return nil // ten minutes may be over
	}
	want, apply := o.undo(op)
	r, err := ws.UndoCancel(ctx, op.Customer, data.Ref{Kind: kind, Key: op.Keys[0][1]}, op.Actor, nil)
	got := ""
	switch {
	case err == nil:
		apply()
		r := o.customers[op.Customer][place(r.Ref().Kind.String(), r.Ref().Key)]
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

// modelState compares all that is stored.
func modelState(ctx context.Context, ws *data.Workspace, o *oracle) error {
	for _, customer := range []string{"c0", "c1", "c2"} {
		want, there := o.export(customer)
		d, err := ws.Export(ctx, customer)
		if errors.Is(err, data.ErrCustomerNotFound) && !there {
			continue
		}
		if err != nil {
			return err
		}
		b, err := json.Marshal(d)
		if err != nil {
			return err
		}
		var got any
		if err := json.Unmarshal(b, &got); err != nil {
			return err
		}
		if !reflect.DeepEqual(want, got) {
			return fmt.Errorf("the state of %s: want %v, got %v", customer, want, got)
		}
		counts, found := map[data.Kind]int{}, 0
		for _, r := range o.customers[customer] {
			kind, err := data.ParseKind(r.kind)
			if err != nil {
				return err
			}
			counts[kind]++
			found++
			if err := modelRead(ctx, ws, customer, r, kind); err != nil {
				return err
			}
		}
		c, err := ws.Customer(ctx, customer)
		if err != nil || !reflect.DeepEqual(counts, c.Counts) {
			return fmt.Errorf("%s: want counts %v, got %v: %w", customer, counts, c.Counts, err)
		}
	}
	return nil
}

// modelRead reads a resource by its key and by its id.
func modelRead(ctx context.Context, ws *data.Workspace, customer string, r *oracleResource, kind data.Kind) error {
	id := uuid.MustParse(r.id)
	var a, b data.Meta
	var err, errID error
	switch kind.Class() {
	case data.ClassSpace:
		var x, y data.Space
		x, err = ws.Space(ctx, r.key)
		y, errID = ws.SpaceByID(ctx, id)
		a, b = x.Meta, y.Meta
	case data.ClassUserIdentity:
		var x, y data.UserIdentity
		x, err = ws.UserIdentity(ctx, r.key)
		y, errID = ws.UserIdentityByID(ctx, id)
		a, b = x.Meta, y.Meta
	default:
		var x, y data.AccessGrant
		x, err = ws.AccessGrant(ctx, r.key)
		y, errID = ws.AccessGrantByID(ctx, id)
		a, b = x.Meta, y.Meta
	}
	if a.Origin != r.origin {
		return fmt.Errorf("%s %s: want the origin %v, got %v", r.kind, r.key, r.origin, a.Origin)
	}
	if err != nil || errID != nil || a != b || a.CustomerKey != customer || a.ID != id {
		return fmt.Errorf("%s %s: read %+v and %+v: %w", r.kind, r.key, a, b, errors.Join(err, errID))
	}
	return nil
}

// modelFeed compares the whole feed: for each customer, operation by operation.
func modelFeed(ctx context.Context, ws *data.Workspace, o *oracle) error {
	got := map[string][]string{}
	for c, err := range ws.Changes(ctx, data.Cursor{}) {
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %s %s %s", c.Change, c.Kind, c.Key, c.ID)
		if c.Change == data.Updated {
			slices.Sort(c.ChangedFields)
			line += " " + strings.Join(c.ChangedFields, ",")
		}
		got[c.CustomerKey] = append(got[c.CustomerKey], line+" by "+actorText(c.Actor))
	}
	for customer, operations := range o.told {
		for i, want := range operations {
			n := min(len(want), len(got[customer]))
			if err := sameSet(fmt.Sprintf("the feed of %s, operation %d", customer, i), want, got[customer][:n]); err != nil {
				return err
			}
			got[customer] = got[customer][n:]
		}
	}
	for customer, rest := range got {
		if len(rest) > 0 {
			return fmt.Errorf("the feed of %s has more: %q", customer, rest)
		}
	}
	return nil
}
