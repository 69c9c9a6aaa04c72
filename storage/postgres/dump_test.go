package postgres_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// TestDump_IsRestored_CursorsOfLostChangesReturnErrEpoch restores a dump of pg_dump into a new database. The cursors of changes
// in the dump must still work, and those of later changes must return an error, also when the new database has as many changes.
func TestDump_IsRestored_CursorsOfLostChangesReturnErrEpoch(t *testing.T) {
	t.Parallel()
	cluster := postgrestest.Shared(t)
	o := postgrestest.Options(t)
	dump, client := filepath.Join(cluster.Dir(), o.Schema+".dump"), []string{"-h", cluster.Dir(), "-U", "postgres"}
	run := func(program string, arguments ...string) {
		require.NoError(t, cluster.Run(program, append(client, arguments...)...))
	}
	id := uuid.New()
	store := openWith(t, cluster.URL(), o)
	ws := data.Open(store, data.Options{}).Workspace(id)
	pushRooms(t, ws, "kept", 5)
	kept := len(changesAfter(t, ws, data.Cursor{}))
	run("pg_dump", "-n", o.Schema, "-Fc", "-f", dump, "postgres")
	pushRooms(t, ws, "lost", 4)
	before := changesAfter(t, ws, data.Cursor{})
	require.Len(t, before, kept+4)

	database := "restored_" + o.Schema
	run("createdb", database)
	run("pg_restore", "-d", database, dump)
	restored := data.Open(openWith(t, strings.Replace(cluster.URL(), "///postgres?", "///"+database+"?", 1), o), data.Options{}).Workspace(id)
	for round := range 6 {
		now := changesAfter(t, restored, data.Cursor{})
		require.Equal(t, before[:kept], now[:kept])
		for i, c := range before {
			if i < kept {
				require.Equal(t, now[i+1:], append([]data.FeedChange{}, changesAfter(t, restored, c.Cursor)...))
				continue
			}
			count := 0
			for _, err := range restored.Changes(t.Context(), c.Cursor) {
				require.ErrorIs(t, err, data.ErrEpoch, "change %d of %d, of which %d are in the dump", i, len(before), kept)
				count++
			}
			require.Equal(t, 1, count)
		}
		pushRooms(t, restored, fmt.Sprint("since-", round), 1)
	}
}

// pushRooms makes commits that create one room each.
func pushRooms(t *testing.T, ws *data.Workspace, prefix string, commits int) {
	t.Helper()
	for i := range commits {
		d := data.CustomerData{CustomerKey: "hotel"}
		d.Add(data.Room(fmt.Sprintf("%s-%d", prefix, i), "Room"))
		_, err := ws.Push(t.Context(), d)
		require.NoError(t, err)
	}
}

func changesAfter(t *testing.T, ws *data.Workspace, after data.Cursor) (all []data.FeedChange) {
	t.Helper()
	for c, err := range ws.Changes(t.Context(), after) {
		require.NoError(t, err)
		all = append(all, c)
	}
	return all
}
