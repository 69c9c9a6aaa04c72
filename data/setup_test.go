package data_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

var workspaceID = uuid.MustParse("67c58f1f-f148-4415-a63c-dc6c145c6b91")

var otherWorkspace = uuid.MustParse("11111111-f148-4415-a63c-dc6c145c6b91")

// raceSlowness divides the sizes of the longest tests under the race detector.
var raceSlowness = race.Slowness(10)

// fakeClock returns times a second apart. No two operations have the same time.
type fakeClock struct{ seconds atomic.Int64 }

var clockStart = time.Date(2025, 6, 16, 16, 54, 17, 946594000, time.UTC)

func (c *fakeClock) now() time.Time {
	return clockStart.Add(time.Duration(c.seconds.Add(1)) * time.Second)
}

func workspace(store storage.Store) *data.Workspace { return workspaceOf(store, workspaceID) }

func workspaceOf(store storage.Store, id uuid.UUID) *data.Workspace {
	return data.Open(store, data.Options{Now: new(fakeClock).now}).Workspace(id)
}

// each runs test on an empty workspace of every backend of [backends.Each], and on a workspace that plans each operation on a
// snapshot.
func each(t *testing.T, test func(t *testing.T, ws *data.Workspace)) {
	t.Helper()
	eachOf(t, backends.Each, test)
}

// eachAll is like each, on the backends of [backends.EachAll].
func eachAll(t *testing.T, test func(t *testing.T, ws *data.Workspace)) {
	t.Helper()
	eachOf(t, backends.EachAll, test)
}

// eachIfFull is like each at full size, and otherwise runs test only on a workspace in memory. It is for tests of large input
// whose result does not depend on the store.
func eachIfFull(t *testing.T, test func(t *testing.T, ws *data.Workspace)) {
	t.Helper()
	if testsize.Full() {
		each(t, test)
		return
	}
	t.Parallel()
	test(t, workspace(memory.New()))
}

func eachOf(t *testing.T, each func(*testing.T, func(*testing.T, storage.Store)), test func(t *testing.T, ws *data.Workspace)) {
	t.Helper()
	t.Parallel()
	each(t, func(t *testing.T, store storage.Store) { test(t, workspace(store)) })
	t.Run("planned on snapshots", func(t *testing.T) {
		t.Parallel()
		test(t, workspace(memory.New()).PlanOnSnapshots())
	})
}

// push pushes resources of a customer and fails the test if that returns an error.
func push(t *testing.T, ws *data.Workspace, customer string, resources ...data.Resource) data.PushReport {
	t.Helper()
	d := data.CustomerData{CustomerKey: customer}
	d.Add(resources...)
	report, err := ws.Push(t.Context(), d)
	require.NoError(t, err)
	return report
}

// pushJSON pushes a JSON object of the API.
func pushJSON(t *testing.T, ws *data.Workspace, body string) (data.PushReport, error) {
	t.Helper()
	return ws.Push(t.Context(), decode(t, body))
}

func decode(t *testing.T, body string) data.CustomerData {
	t.Helper()
	var d data.CustomerData
	require.NoError(t, json.Unmarshal([]byte(body), &d))
	return d
}

// export returns a customer as JSON.
func export(t *testing.T, ws *data.Workspace, customer string) string {
	t.Helper()
	d, err := ws.Export(t.Context(), customer)
	require.NoError(t, err)
	b, err := json.Marshal(d)
	require.NoError(t, err)
	return string(b)
}

// faults returns the faults of a validation.Error, each as "path rule".
func faults(t *testing.T, err error) []string {
	t.Helper()
	var invalid *validation.Error
	require.ErrorAs(t, err, &invalid)
	require.ErrorIs(t, err, validation.ErrInvalid)
	return pathsAndRules(invalid.Faults)
}

// pathsAndRules returns each finding as "path rule".
func pathsAndRules(findings []validation.Finding) []string {
	out := []string{}
	for _, f := range findings {
		out = append(out, f.Path+" "+string(f.Rule))
	}
	return out
}

// dumpAfterSweep removes the rows of deleted customers and returns the same rows as dump.
func dumpAfterSweep(t *testing.T, ws *data.Workspace) map[string]string {
	t.Helper()
	_, err := ws.DB().Sweep(t.Context())
	require.NoError(t, err)
	return dump(t, ws)
}

// dump returns the rows of the store, quoted, except those of the change feed and of the format.
func dump(t *testing.T, ws *data.Workspace) map[string]string {
	t.Helper()
	rows := map[string]string{}
	require.NoError(t, ws.DB().Store().View(t.Context(), func(r storage.Reader) error {
		for e, err := range r.Scan(t.Context(), storage.Range{}, storage.ScanOptions{}) {
			if err != nil {
				return err
			}
			if strings.Contains("FNV", string(e.Key[:1])) || layout.Parse(e.Key).Shape == layout.ShapeCustomerFeed {
				continue
			}
			rows[fmt.Sprintf("%q", e.Key)] = fmt.Sprintf("%q", e.Value)
		}
		return nil
	}))
	return rows
}
