package data_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage/memory"
)

// TestVerifyStore_DamagedEmailRow_ReportsDamage damages rows of e-mail addresses. Its checks compare one, two and all addresses at
// once.
func TestVerifyStore_DamagedEmailRow_ReportsDamage(t *testing.T) {
	t.Parallel()
	store := memory.New()
	furnish(t, store)
	emails := map[string][]byte{}
	for _, row := range backends.Rows(t, store) {
		if layout.Parse(row.Key).Shape == layout.ShapeEmail {
			emails[string(row.Key)] = row.Value
		}
	}
	require.Len(t, emails, 6)
	a, err := workspace(store).Customer(t.Context(), "a")
	require.NoError(t, err)
	unused := string(layout.Email(portaldata.CustomerID(a), layout.EmailHash{1}))
	ghost := append([]byte{2, byte(data.KindGuest)}, "ghost"...)
	for _, atOnce := range []int{1, 2, 100} {
		damage := func(name, key string, want string) {
			report, err := data.VerifyEmails(t.Context(), store, atOnce)
			require.NoError(t, err)
			if want == "" {
				require.Empty(t, report.Damage, name)
				return
			}
			require.Equal(t, []byte(key), report.Damage[0].Key, name)
			for _, d := range report.Damage { // each resource requires the missing row
				require.Equal(t, want, d.Rule, name)
				require.Equal(t, []byte(key), d.Key, name)
			}
		}
		damage("sound", "", "")
		for key, value := range emails {
			write(t, store, []byte(key), append([]byte{value[0] + 1}, value[1:]...))
			damage("one more", key, "differs")
			write(t, store, []byte(key), ghost)
			damage("others", key, "differs")
			write(t, store, []byte(key), append(bytes.Clone(value), 0))
			damage("a longer row", key, "differs")
			write(t, store, []byte(key), nil)
			damage("no row", key, "missing")
			write(t, store, []byte(key), value)
		}
		write(t, store, []byte(unused), append([]byte{1, byte(data.KindGuest)}, "a001"...))
		damage("an address that no user identity has", unused, "dangling")
		write(t, store, []byte(unused), []byte{0})
		damage("a count of zero", unused, "malformed")
		write(t, store, []byte(unused), nil)
		damage("sound again", "", "")
	}
}
