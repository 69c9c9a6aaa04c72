package pebble

import (
	"fmt"
	"path"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/internal/commitmark"
)

// Any single byte of the commit mark is changed. Open finds all rows and continues, or returns
// an error that names the file and changes nothing. If commits are missing in the logs, Open
// still detects it.
func TestOpen_AnyByteOfTheCommitMarkChanged_NothingIsLost(t *testing.T) {
	t.Parallel()
	crashed := kinds(t, false)
	closed := copyFS(crashed)
	s, err := openFS(closed, Options{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	torn := copyFS(crashed)
	changeByte(t, torn, "data/"+markName, 7)
	lost := copyFS(crashed)
	names, err := lost.List("data")
	require.NoError(t, err)
	for _, name := range names {
		if path.Ext(name) == ".log" {
			f, err := lost.Create("data/"+name, vfs.WriteCategoryUnspecified)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
	}
	for name, c := range map[string]struct {
		mem             *vfs.MemFS
		opened, refused bool // which results must occur
	}{
		"after a crash":                   {crashed, true, false},
		"after Close":                     {closed, true, false},
		"only one slot is valid":          {torn, true, true},
		"commits are missing in the logs": {lost, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened, refused := false, false
			for at := range int64(2 * commitmark.SlotBytes) {
				// a slot ends after 17 bytes
				if at%commitmark.SlotBytes >= 20 && at%int64(testsize.Pick(128, 32, 1)) != 0 {
					continue
				}
				what := fmt.Sprint("byte ", at)
				damaged := copyFS(c.mem)
				changeByte(t, damaged, "data/"+markName, at)
				s, err := openFS(damaged, Options{})
				if err != nil {
					refused = true
					require.ErrorIs(t, err, storage.ErrCorrupt, what)
					if c.opened {
						require.ErrorContains(t, err, markName, what)
						changeByte(t, damaged, "data/"+markName, at) // back
						s, err := openFS(damaged, Options{})
						require.NoError(t, err, what)
						require.NoError(t, readKinds(t, s, what), what)
						require.NoError(t, s.Close(), what)
					}
					continue
				}
				opened = true
				require.NoError(t, readKinds(t, s, what), what)
				require.NoError(t, put(s, "c", "1"), what)
				again, err := openFS(copyFS(damaged), Options{})
				require.NoError(t, err, what)
				require.Equal(t, []string{"1"}, get(t, again, "c"), what)
				require.NoError(t, again.Close(), what)
				require.NoError(t, s.Close(), what)
			}
			require.Equal(t, []bool{c.opened, c.refused}, []bool{opened, refused})
		})
	}
}
