package proofs

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/badger"
)

// marks are texts that occur only in the data of a customer.
var marks = []string{"markedcustomer", "markedkey", "markedname", "markedmail", "markedphone", "markedmeta", "markedcode"}

func marked(customer string, rooms int) data.CustomerData {
	d := block(customer, "markedname", rooms)
	guest := data.Guest("markedkey", "markedname")
	guest.EmailAddress, guest.PhoneNumber = "markedmail@example.com", "+markedphone"
	stay := data.Reservation("markedkey", guest.Ref(), data.Refs(data.KindRoom, customer+"/000")...)
	stay.PreferredCode = "markedcode"
	stay.CustomMetadata = data.CustomMetadata{"markedmeta": "markedmeta"}
	d.Add(guest, stay, data.StaffMember("markedkey/staff", "markedname", data.Refs(data.KindRoom, "markedkey/absent")...))
	return d
}

// found returns the number of occurrences of each mark in the files of a directory.
func found(t *testing.T, dir string) map[string]int {
	t.Helper()
	count := map[string]int{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, mark := range marks {
			if n := bytes.Count(text, []byte(mark)); n > 0 {
				count[mark] += n
			}
		}
		return err
	}))
	return count
}

// The test searches every byte of every file.
func TestErase_DeletedCustomer_LeavesNoByte(t *testing.T) {
	t.Parallel()
	name, open := backends.InDir()
	variants := map[string]backends.OpenDir{name: open}
	if name == "badger" && !testing.Short() {
		variants["badger, Updates in one part"] = func(dir string) (backends.DirStore, error) {
			return badger.Open(dir, badger.Options{MemTableBytes: 1 << 20})
		}
	}
	for name, open := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store, err := open(dir)
			require.NoError(t, err)
			h := newHost(store)
			_, err = h.ws.Push(t.Context(), block("stays", "stays", 200))
			require.NoError(t, err)
			for _, rooms := range []int{20, 40} { // the rows that the second push replaces must be erased too
				_, err := h.ws.Push(t.Context(), marked("markedcustomer", rooms))
				require.NoError(t, err)
			}
			p, err := h.portals.Create(t.Context(), h.ws, portal.CreateRequest{CustomerKey: "markedcustomer"})
			require.NoError(t, err)
			require.NoError(t, h.portals.Revoke(t.Context(), h.ws, p.ID))
			require.Len(t, found(t, dir), len(marks))

			_, err = h.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"markedcustomer"}})
			require.NoError(t, err)
			require.Len(t, found(t, dir), len(marks), "deleting alone leaves all of it")
			require.NoError(t, data.Open(store, data.Options{}).Erase(t.Context(), data.EraseOptions{TrimBefore: time.Now().Add(time.Hour)}))
			require.Empty(t, found(t, dir))
			c, err := h.ws.Customer(t.Context(), "stays")
			require.NoError(t, err)
			require.Equal(t, 200, c.Counts[data.KindRoom])
			report, err := data.Open(store, data.Options{}).VerifyStore(t.Context())
			require.NoError(t, err)
			require.Empty(t, report.Damage)
			require.NoError(t, store.Close())
			require.Empty(t, found(t, dir))
		})
	}
}
