package data_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

// generateOperations returns n operations that depend only on r.
func generateOperations(r *rand.Rand, n int) []modelOp {
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
	// Most resources with a key have the same kind. Otherwise most pushes would fail because of a key conflict.
	usualKinds := [][]string{
		strings.Fields("site site space room unit common_area property_listing property facility"),
		strings.Fields("guest guest guest tenant resident user user_identity staff_member staff_member"),
		strings.Fields("reservation reservation reservation reservation booking booking booking access_grant access_grant"),
	}
	resource := func() modelResource {
		i := r.IntN(9)
		g := modelResource{kind: usualKinds[r.IntN(3)][i], key: fmt.Sprint("k", i), fields: map[string]any{}}
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
		times := func() {
			set(40, "starts_at", func() any { return data.FormatTime(day(float64(r.IntN(5)))) })
			set(40, "ends_at", func() any { return data.FormatTime(day(float64(3 + r.IntN(5)))) })
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
				times()
			}
		default:
			if chance(70) {
				set(100, oracleUsers[r.IntN(len(oracleUsers))], func() any { return key() })
			}
			for _, alias := range []string{"space_keys", "room_keys", "property_listing_keys"} {
				set(40, alias, func() any { return keys() })
			}
			times()
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
			op.Action, op.Customer = "push", customer()
			op.KeepPortalChanges = chance(40)
			op.Replace, op.SkipInvalid, op.DryRun = chance(10), chance(15), chance(8)
			op.Strict = !op.SkipInvalid && chance(5)
		case p < 74:
			op.Action, op.Customer, op.Keys = "undo", customer(), [][2]string{{allKinds[r.IntN(len(allKinds))], key()}}
			continue
		case p < 82:
			op.Action, op.Customer, op.DryRun = "sync", customer(), chance(15)
			op.KeepPortalChanges, op.All = chance(40), chance(25)
			if chance(30) {
				maximum := r.IntN(8)
				op.MaxDeletes = &maximum
			}
		default:
			op.Action, op.DryRun = "delete", chance(15)
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
		op.CustomerFields = map[string]any{}
		if chance(25) {
			op.CustomerFields["customer_name"] = []any{nil, "", "A", "B"}[r.IntN(4)]
		}
		if chance(25) {
			op.CustomerFields["customer_time_zone"] = []any{nil, "Europe/Lisbon", "Asia/Tokyo"}[r.IntN(3)]
		}
		for range 1 + r.IntN(8) {
			op.Resources = append(op.Resources, resource())
		}
		// The order of the collections in the JSON of the operation.
		slices.SortStableFunc(op.Resources, func(a, b modelResource) int {
			return strings.Compare(oracleCollections[a.kind], oracleCollections[b.kind])
		})
	}
	return ops
}
