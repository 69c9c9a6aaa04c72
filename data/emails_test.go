package data_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

func TestPush_EmailOfStoredUser_Warns(t *testing.T) {
	guest := func(key, email string) string {
		return fmt.Sprintf(`{"guest_key": %q, "name": "N", "email_address": %q}`, key, email)
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, `{"customer_key": "other", "guests": [`+guest("foreign", "only@mail.example")+`]}`)
		require.NoError(t, err)
		for i, step := range []struct {
			body string
			want []string
		}{
			{`"guests": [` + guest("a", "x@mail.example") + `]`, []string{}},
			{`"guests": [` + guest("a", "x@mail.example") + `]`, []string{}},
			{`"guests": [` + guest("b", "X@Mail.Example") + `]`, []string{"guests[0].email_address"}},
			{`"guests": [` + guest("b", "X@Mail.Example") + `]`, []string{"guests[0].email_address"}},
			{`"guests": [{"guest_key": "b", "phone_number": "1"}]`, []string{}}, // the push does not contain the address
			{`"guests": [` + guest("a", "x@mail.example") + `,` + guest("b", "x@mail.example") + `]`, []string{"guests[1].email_address"}},
			{`"guests": [` + guest("b", "x@mail.example") + `, {"guest_key": "a", "phone_number": "2"}]`, []string{"guests[0].email_address"}},
			{`"guests": [` + guest("b", "x@mail.example") + `, {"guest_key": "a", "email_address": null}]`, []string{}}, // the same push removes the address of a
			{`"tenants": [{"tenant_key": "t", "name": "T", "email_address": "x@mail.EXAMPLE"}]`, []string{"tenants[0].email_address"}},
			{`"staff_members": [{"staff_member_key": "s", "name": "S", "email_address": "é@mail.example"}]`, []string{}},
			{`"users": [{"user_key": "u", "name": "U", "email_address": "É@mail.example"}]`, []string{"users[0].email_address"}},
			{`"guests": [` + guest("c", "only@mail.example") + `]`, []string{}}, // another customer has it
		} {
			report, err := pushJSON(t, ws, `{"customer_key": "c", `+step.body+`}`)
			require.NoError(t, err)
			got := []string{}
			for _, w := range report.Warnings {
				if w.Rule == validation.RuleSharedEmail {
					got = append(got, w.Path)
				}
			}
			require.Equal(t, step.want, got, "step %d: %s", i, step.body)
		}
		report, err := pushJSON(t, ws, `{"customer_key": "c", "guests": [`+guest("d", "x@mail.example")+`]}`)
		require.NoError(t, err)
		require.Equal(t, "is also that of 2 other user identities", report.Warnings[0].Message)
		report, err = pushJSON(t, ws, `{"customer_key": "c", "guests": [`+guest("f", "É@mail.example")+`], "users": [{"user_key": "u", "phone_number": "1", "email_address": null}]}`)
		require.NoError(t, err)
		require.Equal(t, `is also that of the staff_member "s"`, report.Warnings[0].Message)

		before := dump(t, ws)
		_, err = ws.PushWith(t.Context(), decode(t, `{"customer_key": "c", "guests": [`+guest("e", "x@mail.example")+`]}`), data.PushOptions{Strict: true})
		require.Equal(t, []string{"guests[0].email_address shared_email"}, faults(t, err))
		require.Equal(t, before, dump(t, ws))

		_, err = ws.Delete(t.Context(), data.Selection{Resources: append(data.Refs(data.KindGuest, "b", "d"), data.Ref{Kind: data.KindTenant, Key: "t"})})
		require.NoError(t, err)
		report, err = pushJSON(t, ws, `{"customer_key": "c", "guests": [`+guest("d", "x@mail.example")+`]}`)
		require.NoError(t, err)
		require.Empty(t, report.Warnings, "the user identities with this address were deleted")
	})
}

func TestSync_EmailOfDeletedUser_DoesNotWarn(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, `{"customer_key": "c", "guests": [{"guest_key": "a", "name": "A", "email_address": "x@mail.example"}, {"guest_key": "z", "name": "Z"}]}`)
		require.NoError(t, err)
		report, err := ws.Sync(t.Context(), decode(t, `{"customer_key": "c", "guests": [{"guest_key": "b", "name": "B", "email_address": "x@mail.example"}, {"guest_key": "z", "name": "Z"}]}`))
		require.NoError(t, err)
		require.Empty(t, report.Warnings, "the sync deletes the other user identity with this address")
	})
}

// withEmails returns n guests of the customer "acme", either with different e-mail addresses or all with the same one.
func withEmails(prefix string, n int, same bool) data.CustomerData {
	d := data.CustomerData{CustomerKey: "acme"}
	for i := range n {
		g := data.Guest(fmt.Sprint(prefix, i), "Guest")
		g.EmailAddress = emailOf(i, same)
		d.Add(g)
	}
	return d
}

func emailOf(i int, same bool) string {
	if same {
		i = 0
	}
	return fmt.Sprintf("guest%d@mail.example", i)
}

// TestPush_SharedEmail_ReadsOneRowPerAddress pushes one guest, and as many as the customer already has.
func TestPush_SharedEmail_ReadsOneRowPerAddress(t *testing.T) {
	t.Parallel()
	many := testsize.Pick(500, 1000, 3000)
	for _, same := range []bool{false, true} {
		store := &backends.Counted{Store: memory.New()}
		ws := workspace(store)
		_, err := ws.Push(t.Context(), withEmails("stored", many, same))
		require.NoError(t, err)
		_, err = ws.Customer(t.Context(), "acme") // because the first read of a process also checks the format
		require.NoError(t, err)
		for _, n := range []int{1, many} {
			for _, given := range []string{"stored", "new"} {
				d := withEmails(given, n, same)
				addresses := n
				if same {
					addresses = 1
				}
				warnings := n
				switch {
				case given == "stored" && !same:
					warnings = 0
				case given == "stored" && n == many:
					warnings-- // no warning for the first of those that share their address
				}
				store.Reset()
				report, err := ws.PushWith(t.Context(), d, data.PushOptions{DryRun: true})
				require.NoError(t, err)
				require.Equal(t, warnings, len(report.Warnings))
				directory := 0
				if given == "new" {
					directory = n
				}
				require.EqualValues(t, 2+n+directory+addresses, store.Keys.Load(), "%d %s guests, same address: %v", n, given, same)
				require.Zero(t, store.Scans.Load())
			}
		}
	}
}

// TestEmails_AddressOfManyUsers_UsesOneBoundedRow gives one e-mail address to more and more guests with keys of maximum
// length, and then removes it from them.
func TestEmails_AddressOfManyUsers_UsesOneBoundedRow(t *testing.T) {
	t.Parallel()
	store := memory.New()
	ws := workspace(store)
	prefix := strings.Repeat("k", 500)
	row := func() (value []byte) {
		rows := 0
		for _, r := range backends.Rows(t, store) {
			if layout.Parse(r.Key).Shape == layout.ShapeEmail {
				rows, value = rows+1, r.Value
			}
		}
		require.LessOrEqual(t, rows, 1)
		return value
	}
	for i := range 10 {
		_, err := ws.Push(t.Context(), withEmails(fmt.Sprint(prefix, i, "-"), 100, true))
		require.NoError(t, err)
		require.NotNil(t, row())
		require.LessOrEqual(t, len(row()), 1+512+2)
		requireUndamaged(t, store)
	}
	var guests []string
	for i := range 10 {
		for j := range 100 {
			guests = append(guests, fmt.Sprint(prefix, i, "-", j))
		}
	}
	_, err := ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindGuest, guests[1:]...)})
	require.NoError(t, err)
	require.NotNil(t, row())
	requireUndamaged(t, store)
	other := data.Guest("other", "Other")
	other.EmailAddress = strings.ToUpper(emailOf(0, true))
	report := push(t, ws, "acme", other)
	require.Len(t, report.Warnings, 1)
	require.Contains(t, report.Warnings[0].Message, prefix[:20], "the only guest that still has the address")
	_, err = ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindGuest, guests[0], "other")})
	require.NoError(t, err)
	require.Nil(t, row())
	requireUndamaged(t, store)
}

// TestPush_ConcurrentSharedEmails_AreAllCounted pushes guests with the same address to one customer from several goroutines.
// Each push except the first must see the previous one.
func TestPush_ConcurrentSharedEmails_AreAllCounted(t *testing.T) {
	t.Parallel()
	const pushes = 8
	backends.EachAll(t, func(t *testing.T, store storage.Store) {
		for round, plan := range []func(*data.Workspace) *data.Workspace{
			func(ws *data.Workspace) *data.Workspace { return ws },
			(*data.Workspace).PlanOnSnapshots,
		} {
			customer := fmt.Sprint("customer-", round)
			push(t, workspace(store), customer, data.Room(fmt.Sprint("room-", round), "Room"))
			ws := plan(workspace(store))
			var group sync.WaitGroup
			var warnings atomic.Int64
			errs := make([]error, pushes)
			for i := range pushes {
				group.Go(func() {
					g := data.Guest(fmt.Sprint("guest-", round, "-", i), "Guest")
					g.EmailAddress = "same@mail.example"
					d := data.CustomerData{CustomerKey: customer}
					d.Add(g)
					report, err := ws.Push(t.Context(), d)
					warnings.Add(int64(len(report.Warnings)))
					errs[i] = err
				})
			}
			group.Wait()
			require.NoError(t, errors.Join(errs...))
			require.EqualValues(t, pushes-1, warnings.Load())
		}
		requireUndamaged(t, store)
	})
}
