package layout_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/layout"
)

func TestParse_EveryShape_ReturnsItsFields(t *testing.T) {
	t.Parallel()
	ws, id := uuid.New(), uuid.New()
	c, link := layout.CustomerID{1, 2, 0}, layout.LinkID{5, 0, 6}
	hash, email := layout.SessionHash{7, 0, 8}, layout.EmailHash{9, 0, 10}
	span := layout.Span(time.UnixMicro(1), time.UnixMicro(2))
	queued, _ := layout.AttemptQueueEntry(ws, c, id)
	activity := layout.ActivityID{11, 0, 12}
	at := time.Date(2030, 1, 1, 0, 0, 0, 1000, time.UTC)
	for shape, row := range map[layout.Shape]struct {
		key  []byte
		want layout.Key
	}{
		layout.ShapeFormat:          {layout.Format(), layout.Key{}},
		layout.ShapeCustomerIndex:   {layout.CustomerIndex(ws, "acme"), layout.Key{Workspace: ws, Key: "acme"}},
		layout.ShapeDirectory:       {layout.Directory(ws, 2, "k"), layout.Key{Workspace: ws, Class: 2, Key: "k"}},
		layout.ShapeIDIndex:         {layout.IDIndex(id), layout.Key{ID: id}},
		layout.ShapeLinkIndex:       {layout.LinkIndex(link), layout.Key{Link: link}},
		layout.ShapeSessionIndex:    {layout.SessionIndex(hash), layout.Key{Session: hash}},
		layout.ShapeProfile:         {layout.Profile(ws, id), layout.Key{Workspace: ws, ID: id}},
		layout.ShapeSettings:        {layout.Settings(ws), layout.Key{Workspace: ws}},
		layout.ShapeDeletedCustomer: {layout.DeletedCustomer(c), layout.Key{Customer: c}},
		layout.ShapeFeedBatch:       {layout.FeedBatch(ws, 300), layout.Key{Workspace: ws, Position: 300}},
		layout.ShapeFeedEnds:        {layout.FeedEnds(ws), layout.Key{Workspace: ws}},
		layout.ShapeConsumer:        {layout.Consumer(ws, "name"), layout.Key{Workspace: ws, Key: "name"}},
		layout.ShapeCustomerFeed:    {layout.CustomerFeed(c, 300), layout.Key{Customer: c, Position: 300}},
		layout.ShapeLease:           {layout.Lease("name"), layout.Key{Key: "name"}},
		layout.ShapeCustomer:        {layout.CustomerRow(c), layout.Key{Customer: c}},
		layout.ShapeResource:        {layout.Resource(c, 9, "k"), layout.Key{Customer: c, Kind: 9, Key: "k"}},
		layout.ShapeEdge: {
			layout.Edge(c, 1, "to", 0x31, span, "from"),
			layout.Key{Customer: c, Class: 1, Key: "to", ReferrerKind: 0x31, Span: span, ReferrerKey: "from"},
		},
		layout.ShapeTime:           {layout.Time(c, span, 9, "k"), layout.Key{Customer: c, Span: span, Kind: 9, Key: "k"}},
		layout.ShapeEmail:          {layout.Email(c, email), layout.Key{Customer: c, Email: email}},
		layout.ShapePortal:         {layout.Portal(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeLinkRow:        {layout.LinkRow(c, link), layout.Key{Customer: c, Link: link}},
		layout.ShapeRevoked:        {layout.Revoked(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeNewestPortal:   {layout.NewestPortal(c), layout.Key{Customer: c}},
		layout.ShapeSessionRow:     {layout.SessionRow(c, id, hash), layout.Key{Customer: c, ID: id, Session: hash}},
		layout.ShapeUses:           {layout.Uses(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeHolder:         {layout.Holder(c, id, layout.HolderHash(hash)), layout.Key{Customer: c, ID: id, Holder: layout.HolderHash(hash)}},
		layout.ShapeExpiryReported: {layout.ExpiryReported(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeCancelled:      {layout.Cancelled(c, 3, "k"), layout.Key{Customer: c, Class: 3, Key: "k"}},

		layout.ShapeAccount:         {layout.Account(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeDevice:          {layout.Device(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeDeviceState:     {layout.DeviceState(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeCode:            {layout.Code(c, ws, id), layout.Key{Customer: c, Device: ws, ID: id}},
		layout.ShapeDeviceCounts:    {layout.DeviceCounts(c), layout.Key{Customer: c}},
		layout.ShapeProviderAccount: {layout.ProviderAccount("hub", "e", c), layout.Key{Provider: "hub", Key: "e", Customer: c}},
		layout.ShapeRemoval:         {layout.Removal(ws, id), layout.Key{Account: ws, ID: id}},
		layout.ShapeRemovalAccount:  {layout.RemovalAccount(id), layout.Key{ID: id}},
		layout.ShapeAttempt:         {layout.Attempt(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeAttemptToken:    {layout.AttemptToken(c, id), layout.Key{Customer: c, ID: id}},
		layout.ShapeAttemptQueue:    {queued, layout.Key{ID: id}},
		layout.ShapeActivity:        {layout.Activity(c, activity), layout.Key{Customer: c, Activity: activity}},
		layout.ShapeRun:             {layout.Run(c, activity), layout.Key{Customer: c, Activity: activity}},
		layout.ShapeDeviceActivity:  {layout.DeviceActivity(c, id, activity), layout.Key{Customer: c, Device: id, Activity: activity}},

		layout.ShapeDue:           {layout.Due(ws, at, ws, id), layout.Key{Account: ws, At: at, Device: ws, ID: id}},
		layout.ShapePIN:           {layout.PIN(c, 3, "k"), layout.Key{Customer: c, Class: 3, Key: "k"}},
		layout.ShapeEntrance:      {layout.Entrance(c, id), layout.Key{Customer: c, Device: id}},
		layout.ShapeReplan:        {layout.Replan(c, id), layout.Key{Customer: c, Device: id}},
		layout.ShapeReplanIndex:   {layout.ReplanIndex(ws, c), layout.Key{Workspace: ws, Customer: c}},
		layout.ShapeRules:         {layout.Rules(ws), layout.Key{Workspace: ws}},
		layout.ShapeCustomerRules: {layout.CustomerRules(c), layout.Key{Customer: c}},
		layout.ShapeLocks:         {layout.Locks(c, "k"), layout.Key{Customer: c, Key: "k"}},

		layout.ShapeCancelledIndex: {layout.CancelledIndex(ws, 3, "k", c), layout.Key{Workspace: ws, Class: 3, Key: "k", Customer: c}},
	} {
		row.want.Shape = shape
		require.Equal(t, row.want, layout.Parse(row.key), shape)
		for _, short := range [][]byte{row.key[:1], row.key[:len(row.key)/2]} {
			require.NotPanics(t, func() { layout.Parse(short) })
		}
	}
	require.Equal(t, layout.ShapeHost, layout.Parse([]byte("host/row")).Shape)
	require.Equal(t, layout.Key{Shape: layout.ShapeUnknown, Customer: c}, layout.Parse(append(layout.CustomerPrefix(c), '?')))
	for _, key := range []string{"", "Z", "\x00", "\xff", "C", "I123", string(layout.LinkIndex(link)) + "x"} {
		require.Equal(t, layout.ShapeUnknown, layout.Parse([]byte(key)).Shape, "%q", key)
	}
}

func FuzzParse(f *testing.F) {
	c, id := layout.CustomerID{1}, uuid.UUID{2}
	for _, key := range [][]byte{
		layout.CustomerIndex(id, "k"), layout.FeedBatch(id, 2), layout.CustomerFeed(c, 2), layout.Consumer(id, "k"), layout.DeletedCustomer(c),
		layout.Edge(c, 1, "to", 9, nil, "from"), []byte("host"),
		layout.Email(c, layout.EmailHash{4}),
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		k := layout.Parse(key)
		require.NotEmpty(t, k.Shape)
		if k.Shape == layout.ShapeResource {
			require.Equal(t, key, layout.Resource(k.Customer, k.Kind, k.Key))
		}
		if k.Shape == layout.ShapeDirectory {
			require.Equal(t, key, layout.Directory(k.Workspace, k.Class, k.Key))
		}
	})
}
