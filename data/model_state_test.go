package data_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

// modelState compares the stored customers and resources with the oracle's.
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

// modelRead compares a resource, read by key and by id, with the oracle's.
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

// modelFeed compares the feed of each customer with the oracle's, operation by operation. The order of changes within an
// operation does not matter.
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
	for customer, operations := range o.feed {
		for i, want := range operations {
			n := min(len(want), len(got[customer]))
			if err := requireSameSet(fmt.Sprintf("the feed of %s, operation %d", customer, i), want, got[customer][:n]); err != nil {
				return err
			}
			got[customer] = got[customer][n:]
		}
	}
	for customer, rest := range got {
		if len(rest) > 0 {
			return fmt.Errorf("the feed of %s has more changes: %q", customer, rest)
		}
	}
	return nil
}
