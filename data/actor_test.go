package data_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/portaldata"
)

// actors are valid actors, one of each type.
var actors = []data.Actor{
	{Type: data.ActorHost},
	{Type: data.ActorPortal, PortalID: uuid.UUID{1, 2, 3}},
	{Type: data.ActorAutomation, Name: "clean-up"},
	{Type: data.ActorConnector, Name: "iCal " + strings.Repeat("x", 195)},
}

// operationsAs are the operations that take an actor. Each makes at least one change to the customer "acme", which has two
// rooms.
var operationsAs = map[string]func(ctx context.Context, ws *data.Workspace, actor data.Actor) error{
	"PushWith": func(ctx context.Context, ws *data.Workspace, actor data.Actor) error {
		d := data.CustomerData{CustomerKey: "acme", CustomerName: "Acme"}
		d.Add(data.Room("101", "renamed"), data.Room("103", "new"))
		_, err := ws.PushWith(ctx, d, data.PushOptions{Actor: actor})
		return err
	},
	"SyncWith": func(ctx context.Context, ws *data.Workspace, actor data.Actor) error {
		d := data.CustomerData{CustomerKey: "acme"}
		d.Add(data.Room("103", "new"))
		_, err := ws.SyncWith(ctx, d, data.SyncOptions{Actor: actor})
		return err
	},
	"Import": func(ctx context.Context, ws *data.Workspace, actor data.Actor) error {
		_, err := ws.Import(ctx, "acme", func(yield func(data.Resource, error) bool) {
			_ = yield(data.Room("103", "new"), nil) && yield(data.Room("104", "new"), nil)
		}, data.ImportOptions{BatchSize: 1, Actor: actor})
		return err
	},
	"DeleteWith": func(ctx context.Context, ws *data.Workspace, actor data.Actor) error {
		_, err := ws.DeleteWith(ctx, data.Selection{Resources: data.Refs(data.KindRoom, "101")}, data.DeleteOptions{Actor: actor})
		return err
	},
	"DeleteWith, a customer": func(ctx context.Context, ws *data.Workspace, actor data.Actor) error {
		_, err := ws.DeleteWith(ctx, data.Selection{CustomerKeys: []string{"acme"}}, data.DeleteOptions{Actor: actor})
		return err
	},
	"Revoke": func(ctx context.Context, ws *data.Workspace, actor data.Actor) error {
		c, err := ws.Customer(ctx, "acme")
		if err != nil {
			return err
		}
		_, err = portaldata.Revoke(ctx, ws, portaldata.CustomerID(c), actor, func(context.Context, *data.Snapshot) ([]uuid.UUID, error) {
			return []uuid.UUID{{9}}, nil
		})
		return err
	},
	"AddChange": func(ctx context.Context, ws *data.Workspace, actor data.Actor) error {
		return ws.Within(ctx, "acme", func(ctx context.Context, tx data.CustomerTx) error {
			return portaldata.AddChange(ctx, tx, actor, data.PortalOpened, uuid.UUID{9})
		})
	},
}

func TestActor_EachOperation_IsInTheFeed(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		for name, operation := range operationsAs {
			for _, actor := range append(actors, data.Actor{}) {
				push(t, ws, "acme", data.Room("101", "one"), data.Room("102", "two"))
				before := changes(t, ws, data.Cursor{})
				for _, c := range before[max(0, len(before)-2):] {
					require.Equal(t, data.Actor{Type: data.ActorHost}, c.Actor, "the actor of a Push without options is the host")
				}
				require.NoError(t, operation(t.Context(), ws, actor), name)
				made := changes(t, ws, before[len(before)-1].Cursor)
				require.NotEmpty(t, made, name)
				want := actor
				if want.Type == "" {
					want.Type = data.ActorHost
				}
				for _, c := range made {
					require.Equal(t, want, c.Actor, name)
				}
				_, err := ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"acme"}})
				require.NoError(t, err)
			}
		}
	})
}

func TestActor_Invalid_ReturnsErrorAndChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, ws *data.Workspace) {
		push(t, ws, "acme", data.Room("101", "one"), data.Room("102", "two"))
		before, fed := dump(t, ws), changes(t, ws, data.Cursor{})
		for want, actor := range map[string]data.Actor{
			"actor.type format":                    {Type: "robot"},
			"actor.customer_portal_id required":    {Type: data.ActorPortal},
			"actor.customer_portal_id not_a_field": {PortalID: uuid.UUID{1}},
			"actor.name not_a_field":               {Type: data.ActorHost, Name: "x"},
			"actor.name not_a_field ":              {Type: data.ActorPortal, PortalID: uuid.UUID{1}, Name: "x"},
			"actor.name required":                  {Type: data.ActorAutomation},
			"actor.name required ":                 {Type: data.ActorConnector},
			"actor.name key_format":                {Type: data.ActorConnector, Name: strings.Repeat("x", 201)},
			"actor.name key_format ":               {Type: data.ActorConnector, Name: "a\nb"},
			"actor.name key_format  ":              {Type: data.ActorConnector, Name: "\xff"},
		} {
			for name, operation := range operationsAs {
				err := operation(t.Context(), ws, actor)
				require.Equal(t, []string{strings.TrimSpace(want)}, faults(t, err), "%s as %+v", name, actor)
			}
			_, err := ws.PushWith(t.Context(), data.CustomerData{CustomerKey: "acme"}, data.PushOptions{DryRun: true, Actor: actor})
			require.Equal(t, []string{strings.TrimSpace(want)}, faults(t, err), "a dry run as %+v", actor)
		}
		require.Equal(t, before, dump(t, ws))
		require.Equal(t, fed, changes(t, ws, data.Cursor{}))
	})
}

func TestActor_JSON_HasFieldsOfItsType(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, actor := range actors[:3] {
		b, err := json.Marshal(data.FeedChange{Class: data.ClassSpace, Kind: data.KindRoom, Actor: actor})
		require.NoError(t, err)
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(b, &fields))
		lines = append(lines, string(fields["actor"]))
		var decoded data.FeedChange
		require.NoError(t, json.Unmarshal(b, &decoded))
		require.Equal(t, actor, decoded.Actor)
	}
	require.Equal(t, []string{
		`{"type":"host"}`,
		fmt.Sprintf(`{"type":"portal","customer_portal_id":%q}`, uuid.UUID{1, 2, 3}),
		`{"type":"automation","name":"clean-up"}`,
	}, lines)
}
