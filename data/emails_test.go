package data_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
)

func TestPush_SharedEmail_WarnsOfStoredOnes(t *testing.T) {
	guest := func(key, email string) string {
		return fmt.Sprintf(`{"guest_key": %q, "name": "N", "email_address": %q}`, key, email)
	}
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, `{"customer_key": "other", "guests": [`+guest("foreign", "only@mail.example")+`]}`)
		require.NoError(t, err)
		for i, step := range []struct {
			given string
			want  []string
		}{
			{`"guests": [` + guest("a", "x@mail.example") + `]`, []string{}},
			{`"guests": [` + guest("a", "x@mail.example") + `]`, []string{}},
			{`"guests": [` + guest("b", "X@Mail.Example") + `]`, []string{"guests[0].email_address"}},
			{`"guests": [` + guest("b", "X@Mail.Example") + `]`, []string{"guests[0].email_address"}},
			{`"guests": [{"guest_key": "b", "phone_number": "1"}]`, []string{}}, // the address is not given
			{`"guests": [` + guest("a", "x@mail.example") + `,` + guest("b", "x@mail.example") + `]`, []string{"guests[1].email_address"}},
			{`"guests": [` + guest("b", "x@mail.example") + `, {"guest_key": "a", "phone_number": "2"}]`, []string{"guests[0].email_address"}},
			{`"guests": [` + guest("b", "x@mail.example") + `, {"guest_key": "a", "email_address": null}]`, []string{}}, // a loses it in the same step
			{`"tenants": [{"tenant_key": "t", "name": "T", "email_address": "x@mail.EXAMPLE"}]`, []string{"tenants[0].email_address"}},
			{`"staff_members": [{"staff_member_key": "s", "name": "S", "email_address": "é@mail.example"}]`, []string{}},
			{`"users": [{"user_key": "u", "name": "U", "email_address": "É@mail.example"}]`, []string{"users[0].email_address"}},
			{`"guests": [` + guest("c", "only@mail.example") + `]`, []string{}}, // another customer has it
		} {
			report, err := pushJSON(t, ws, `{"customer_key": "c", `+step.given+`}`)
			require.NoError(t, err)
			got := []string{}
			for _, w := range report.Warnings {
				if w.Rule == data.RuleSharedEmail {
					got = append(got, w.Path)
				}
			}
			require.Equal(t, step.want, got, "step %d: %s", i, step.given)
		}
		report, err := pushJSON(t, ws, `{"customer_key": "c", "guests": [`+guest("d", "x@mail.example")+`]}`)
		require.NoError(t, err)
		require.Equal(t, `is also that of the guest "b"`, report.Warnings[0].Message)

		before := dump(t, ws)
		_, err = ws.PushWith(t.Context(), decode(t, `{"customer_key": "c", "guests": [`+guest("e", "x@mail.example")+`]}`), data.PushOptions{Strict: true})
		require.Equal(t, []string{"guests[0].email_address shared_email"}, faults(t, err))
		require.Equal(t, before, dump(t, ws))

		_, err = ws.Delete(t.Context(), data.Selection{Resources: append(data.Refs(data.KindGuest, "b", "d"), data.Ref{Kind: data.KindTenant, Key: "t"})})
		require.NoError(t, err)
		report, err = pushJSON(t, ws, `{"customer_key": "c", "guests": [`+guest("d", "x@mail.example")+`]}`)
		require.NoError(t, err)
		require.Empty(t, report.Warnings, "those who had it are gone")
	})
}

func TestSync_SharedEmail_LooksAtWhatStays(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		_, err := pushJSON(t, ws, `{"customer_key": "c", "guests": [{"guest_key": "a", "name": "A", "email_address": "x@mail.example"}, {"guest_key": "z", "name": "Z"}]}`)
		require.NoError(t, err)
		report, err := ws.Sync(t.Context(), decode(t, `{"customer_key": "c", "guests": [{"guest_key": "b", "name": "B", "email_address": "x@mail.example"}, {"guest_key": "z", "name": "Z"}]}`))
		require.NoError(t, err)
		require.Empty(t, report.Warnings, "who had it goes in the same step")
	})
}

// rowCounter counts the rows and calls of reads.
type rowCounter struct {
	storage.Store
	calls, rows atomic.Int64
}

type countedReader struct {
	storage.Reader
	c *rowCounter
}

func (c *rowCounter) View(ctx context.Context, fn func(storage.Reader) error) error {
	return c.Store.View(ctx, func(r storage.Reader) error { return fn(countedReader{r, c}) })
}

func (c *rowCounter) scan(rows iter.Seq2[storage.Entry, error]) iter.Seq2[storage.Entry, error] {
	c.calls.Add(1)
	return func(yield func(storage.Entry, error) bool) {
		for e, err := range rows {
			c.rows.Add(1)
			if !yield(e, err) {
				return
			}
		}
	}
}

func (r countedReader) Scan(ctx context.Context, rows storage.Range, o storage.ScanOptions) iter.Seq2[storage.Entry, error] {
	return r.c.scan(r.Reader.Scan(ctx, rows, o))
}

// TestPush_SharedEmail_ReadsFewRows pushes one guest to a customer that has many, and all
// of them again.
func TestPush_SharedEmail_ReadsFewRows(t *testing.T) {
	t.Parallel()
	const many = 3000
	store := &rowCounter{Store: memory.New()}
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	ws := workspace(store)
	all := data.CustomerData{CustomerKey: "c"}
	for i := range many {
		g := data.Guest(fmt.Sprint("g", i), "G")
		g.EmailAddress = fmt.Sprintf("g%d@mail.example", i)
		all.Add(g)
	}
	_, err := ws.Push(t.Context(), all)
	require.NoError(t, err)

	reads := func(d data.CustomerData) (calls, rows int64) {
		store.calls.Store(0)
		store.rows.Store(0)
		report, err := ws.PushWith(t.Context(), d, data.PushOptions{DryRun: true})
		require.NoError(t, err)
		require.Len(t, report.Warnings, d.Len()%2, "the one that is pushed alone shares its address")
		return store.calls.Load(), store.rows.Load()
	}
	one := data.Guest("new", "New")
	one.EmailAddress = "G7@MAIL.EXAMPLE"
	calls, rows := reads(data.CustomerData{CustomerKey: "c", UserIdentities: []data.UserIdentity{one}})
	require.LessOrEqual(t, rows, int64(4))
	require.LessOrEqual(t, calls, int64(4))
	calls, rows = reads(all)
	require.LessOrEqual(t, rows, int64(many+4))
	require.LessOrEqual(t, calls, int64(4), "all addresses are looked for in one scan")
}
