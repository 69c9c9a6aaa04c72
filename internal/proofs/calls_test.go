package proofs

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// world is a store with data for all calls: customers "a" and "b", a deleted customer whose rows have not been swept,
// and a portal of "a".
type world struct {
	backup []byte
	portal *opened
	token  string // of a session of the portal
	brand  uuid.UUID
	roomID uuid.UUID
	userID uuid.UUID
	stayID uuid.UUID
	a      layout.CustomerID

	webview    uuid.UUID
	connecting string // the token of a session of the connect webview
	linked     string // the token of a session of a deep link to the device of "a"
	guest      string // the token of a session of a guest link to the stay of "a"
}

// call is a call of an exported method.
type call struct {
	name string
	do   func(ctx context.Context, h host, w *world) error

	// inParts reports whether a failed call may have a part of its effect, as documented.
	inParts bool
}

// ignoreMissing returns err, or nil if it says that an action attempt does not exist.
func ignoreMissing(err error) error {
	if errors.Is(err, access.ErrAttemptNotFound) {
		return nil
	}
	return err
}

// drain reads a sequence to its end and returns its error.
func drain[T any](seq func(func(T, error) bool)) (err error) {
	seq(func(_ T, e error) bool {
		err = e
		return e == nil
	})
	return err
}

// only returns the error of a call with two results.
func only[T any](_ T, err error) error { return err }

// removed is a staff member of customer "a" who was removed in a portal.
var removed = data.Ref{Kind: data.KindStaffMember, Key: "a/former"}

// cancelled is a reservation of customer "a" that was cancelled in a portal.
var cancelled = data.Ref{Kind: data.KindReservation, Key: "a/005"}

var hostRow = []byte("host/row")

func putHostRow(_ context.Context, tx data.CustomerTx) error { return tx.Tx.Put(hostRow, []byte("1")) }

// session calls fn with the session of the world.
func session(fn func(context.Context, *portal.Session) error) func(context.Context, host, *world) error {
	return func(ctx context.Context, h host, w *world) error {
		s, err := h.portals.Session(ctx, w.token)
		if err != nil {
			return err
		}
		return fn(ctx, s)
	}
}

// connecting calls fn with the session of the world's connect webview.
func connecting(fn func(context.Context, *portal.Session) error) func(context.Context, host, *world) error {
	return func(ctx context.Context, h host, w *world) error {
		s, err := h.portals.Session(ctx, w.connecting)
		if err != nil {
			return err
		}
		return fn(ctx, s)
	}
}

// viewed calls fn with a View of the session of the world.
func viewed(fn func(context.Context, *portal.View) error) func(context.Context, host, *world) error {
	return session(func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return fn(ctx, v) })
	})
}

// three returns the error of a call with three results.
func three[T, U any](_ T, _ U, err error) error { return err }

// calls contains a call of every exported method that does I/O.
var calls = slices.Concat(linkedCalls, guestCalls, []call{
	{name: "Customer", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.Customer(ctx, "b")) }},
	{name: "Space", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.Space(ctx, "b/001")) }},
	{name: "SpaceByID", do: func(ctx context.Context, h host, w *world) error { return only(h.ws.SpaceByID(ctx, w.roomID)) }},
	{name: "UserIdentity", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.UserIdentity(ctx, "a/001")) }},
	{name: "UserIdentityByID", do: func(ctx context.Context, h host, w *world) error {
		return only(h.ws.UserIdentityByID(ctx, w.userID))
	}},
	{name: "AccessGrant", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.AccessGrant(ctx, "a/001")) }},
	{name: "AccessGrantByID", do: func(ctx context.Context, h host, w *world) error {
		return only(h.ws.AccessGrantByID(ctx, w.stayID))
	}},
	{name: "Spaces", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Spaces(ctx, data.Query{CustomerKey: "b"}))
	}},
	{name: "UserIdentities", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.UserIdentities(ctx, data.Query{}))
	}},
	{name: "AccessGrants", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.AccessGrants(ctx, data.Query{CustomerKey: "a", SpaceKey: "a/001"}))
	}},
	{name: "Customers", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Customers(ctx, data.CustomerQuery{}))
	}},
	{name: "Referrers", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Referrers(ctx, data.Ref{Kind: data.KindSite, Key: "a/site"}, 0, ""))
	}},
	{name: "Export", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.Export(ctx, "b")) }},
	{name: "View", do: func(ctx context.Context, h host, _ *world) error {
		return h.ws.View(ctx, func(s *data.Snapshot) error { return only(s.Space(ctx, "b/000")) })
	}},
	{name: "Changes", do: func(ctx context.Context, h host, _ *world) error { return drain(h.ws.Changes(ctx, data.Cursor{})) }},
	{name: "Follow", do: func(ctx context.Context, h host, _ *world) (err error) {
		for _, e := range h.ws.Follow(ctx, data.Cursor{}) {
			return e
		}
		return nil
	}},
	{name: "Push", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Push(ctx, block("a", "pushed", 9)))
	}},
	{name: "PushWith", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.PushWith(ctx, block("c", "pushed", 9), data.PushOptions{Within: putHostRow}))
	}},
	{name: "Sync", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Sync(ctx, block("b", "synced", 3)))
	}},
	{name: "SyncWith", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.SyncWith(ctx, block("a", "synced", 2), data.SyncOptions{Within: putHostRow}))
	}},
	{name: "Delete", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Delete(ctx, data.Selection{CustomerKeys: []string{"b"}, Resources: data.Refs(data.KindSite, "a/site")}))
	}},
	{name: "PlanDelete", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.PlanDelete(ctx, data.Selection{CustomerKeys: []string{"b"}, Resources: data.Refs(data.KindSite, "a/site")}))
	}},
	{name: "Import", do: func(ctx context.Context, h host, _ *world) error {
		rooms := []data.Resource{data.Room("a/new", "New"), data.Guest("a/new", "New")}
		return only(h.ws.Import(ctx, "a", func(yield func(data.Resource, error) bool) {
			for _, r := range rooms {
				if !yield(r, nil) {
					return
				}
			}
		}, data.ImportOptions{}))
	}},
	{name: "Within", do: func(ctx context.Context, h host, _ *world) error { return h.ws.Within(ctx, "b", putHostRow) }},
	{name: "portaldata Within", do: func(ctx context.Context, h host, w *world) error {
		return portaldata.Within(ctx, h.ws, w.a, putHostRow)
	}},
	{name: "portaldata WithinUnversioned", do: func(ctx context.Context, h host, w *world) error {
		return portaldata.WithinUnversioned(ctx, h.ws, w.a, putHostRow)
	}},
	{name: "DB Sweep", inParts: true, do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.DB().Sweep(ctx)) }},
	{name: "DB Stats", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.DB().Stats(ctx)) }},
	{name: "DB Workspaces", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.DB().Workspaces(ctx)) }},
	{name: "DB Erase", inParts: true, do: func(ctx context.Context, h host, _ *world) error {
		return h.ws.DB().Erase(ctx, data.EraseOptions{TrimBefore: farFuture})
	}},
	{name: "TrimChanges", inParts: true, do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.TrimChanges(ctx, farFuture))
	}},
	{name: "View of the Cursor", do: func(ctx context.Context, h host, _ *world) error {
		return h.ws.View(ctx, func(s *data.Snapshot) error { return only(s.Cursor(ctx)) })
	}},
	{name: "consumer Cursor", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.ws.Consumer("events").Cursor(ctx))
	}},
	{name: "consumer Seek", do: func(ctx context.Context, h host, _ *world) error {
		return h.ws.Consumer("events").Seek(ctx, data.Cursor{})
	}},
	{name: "consumer Remove", do: func(ctx context.Context, h host, _ *world) error { return h.ws.Consumer("events").Remove(ctx) }},
	{name: "consumer Run", inParts: true, do: func(ctx context.Context, h host, _ *world) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		err := h.ws.Consumer("events").Run(ctx, func(context.Context, []data.FeedChange) error {
			stop()
			return nil
		})
		if err == context.Canceled { //nolint:errorlint // and no other error beside it
			return nil
		}
		return err
	}},
	{name: "portal Create", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.Create(ctx, h.ws, portal.CreateRequest{CustomerKey: "b"}))
	}},
	{name: "portal Create with data", do: func(ctx context.Context, h host, _ *world) error {
		d := block("a", "created", 8)
		return only(h.portals.Create(ctx, h.ws, portal.CreateRequest{CustomerData: &d}))
	}},
	{name: "portal Resolve", do: func(ctx context.Context, h host, w *world) error { return only(h.portals.Resolve(ctx, w.portal.code)) }},
	{name: "portal Revoke", do: func(ctx context.Context, h host, w *world) error { return h.portals.Revoke(ctx, h.ws, w.portal.id) }},
	{name: "DeleteWith", do: func(ctx context.Context, h host, _ *world) error {
		sel := data.Selection{CustomerKeys: []string{"b"}, Resources: data.Refs(data.KindRoom, "a/001")}
		return only(h.ws.DeleteWith(ctx, sel, data.DeleteOptions{}))
	}},
	{name: "UndoCancel", do: func(ctx context.Context, h host, w *world) error {
		return only(h.ws.UndoCancel(ctx, "a", cancelled, data.Actor{Type: data.ActorPortal, PortalID: w.portal.id}, nil))
	}},
	{name: "portaldata Revoke", do: func(ctx context.Context, h host, w *world) error {
		return only(portaldata.Revoke(ctx, h.ws, w.a, data.Actor{}, func(context.Context, *data.Snapshot) ([]uuid.UUID, error) {
			return []uuid.UUID{w.portal.id}, nil
		}))
	}},
	{name: "portal Peek", do: func(ctx context.Context, h host, w *world) error {
		return three(h.portals.Peek(ctx, w.portal.code, ""))
	}},
	{name: "portal Peek for a holder", do: func(ctx context.Context, h host, w *world) error {
		return three(h.portals.Peek(ctx, w.portal.code, "a browser's secret"))
	}},
	{name: "portal OpenSession", do: func(ctx context.Context, h host, w *world) error {
		return only(h.portals.OpenSession(ctx, w.portal.code, ""))
	}},
	{name: "portal OpenSession for a holder", do: func(ctx context.Context, h host, w *world) error {
		return only(h.portals.OpenSession(ctx, w.portal.code, "a browser's secret"))
	}},
	{name: "portal Session", do: func(ctx context.Context, h host, w *world) error { return only(h.portals.Session(ctx, w.token)) }},
	{name: "portal Get", do: func(ctx context.Context, h host, w *world) error { return only(h.portals.Get(ctx, h.ws, w.portal.id)) }},
	{name: "portal List", do: func(ctx context.Context, h host, _ *world) error { return only(h.portals.List(ctx, h.ws, "a", 0, "")) }},
	{name: "portal Open", do: func(ctx context.Context, h host, _ *world) error { return only(h.portals.Open(ctx, h.ws, "a")) }},
	{name: "portal CreateDeepLink", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.CreateDeepLink(ctx, h.ws, "a", "a/001"))
	}},
	{name: "portal UpdateConfig", do: func(ctx context.Context, h host, w *world) error {
		return only(h.portals.UpdateConfig(ctx, h.ws, w.portal.id, func(c *portal.Config) error { c.ReadOnly = true; return nil }))
	}},
	{name: "portal RevokeAll", do: func(ctx context.Context, h host, _ *world) error { return only(h.portals.RevokeAll(ctx, h.ws, "a")) }},
	{name: "portal Purge", inParts: true, do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.Purge(ctx, h.ws, farFuture))
	}},
	{name: "portal Settings", do: func(ctx context.Context, h host, _ *world) error { return only(h.portals.Settings(ctx, h.ws)) }},
	{name: "portal UpdateSettings", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.UpdateSettings(ctx, h.ws, func(s *portal.Settings) error { s.Slug = "a"; return nil }))
	}},
	{name: "portal CreateProfile", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.CreateProfile(ctx, h.ws, portal.Profile{}))
	}},
	{name: "portal Profile", do: func(ctx context.Context, h host, w *world) error { return only(h.portals.Profile(ctx, h.ws, w.brand)) }},
	{name: "portal Profiles", do: func(ctx context.Context, h host, _ *world) error { return only(h.portals.Profiles(ctx, h.ws)) }},
	{name: "portal UpdateProfile", do: func(ctx context.Context, h host, w *world) error {
		return only(h.portals.UpdateProfile(ctx, h.ws, w.brand, func(p *portal.Profile) error { p.Name = "x"; return nil }))
	}},
	{name: "portal DeleteProfile", do: func(ctx context.Context, h host, w *world) error {
		return h.portals.DeleteProfile(ctx, h.ws, w.brand)
	}},
	{name: "portal ViewSession", do: func(ctx context.Context, h host, w *world) error {
		return only(h.portals.ViewSession(ctx, w.token, func(_ *portal.Session, v *portal.View) error {
			return three(v.Space(ctx, "a/001"))
		}))
	}},
	{name: "view LandingPage", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.LandingPage(ctx)) })},
	{name: "view Appearance", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.Appearance(ctx, "")) })},
	{name: "view Space", do: viewed(func(ctx context.Context, v *portal.View) error { return three(v.Space(ctx, "a/001")) })},
	{name: "view Spaces", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.Spaces(ctx, data.Query{})) })},
	{name: "view UserIdentity", do: viewed(func(ctx context.Context, v *portal.View) error { return three(v.UserIdentity(ctx, "a/001")) })},
	{name: "view UserIdentities", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.UserIdentities(ctx, data.Query{}))
	})},
	{name: "view StaffMember", do: viewed(func(ctx context.Context, v *portal.View) error { return three(v.StaffMember(ctx, "a/staff")) })},
	{name: "view StaffMembers", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.StaffMembers(ctx, data.Query{}))
	})},
	{name: "view AccessGrant", do: viewed(func(ctx context.Context, v *portal.View) error { return three(v.AccessGrant(ctx, "a/001")) })},
	{name: "view AccessGrants", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.AccessGrants(ctx, data.Query{SpaceKey: "a/001"}))
	})},
	{name: "view AccessGrantOutlines", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.AccessGrantOutlines(ctx, data.Query{SpaceKeys: []string{"a/001"}}))
	})},
	{name: "view AccessGrantsByPlace", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.AccessGrantsByPlace(ctx, data.Query{SpaceKey: "a/001"}, func(data.AccessGrant, portal.Place) bool { return true }))
	})},
	{name: "view History", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.History(ctx, "a/001", 0)) })},
	{name: "session CreateAccessGrant", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.CreateAccessGrant(ctx, portal.AccessGrantRequest{
			Grant: data.AccessGrant{Spaces: data.Refs(data.KindRoom, "a/001")}, NewUser: &data.UserIdentity{Name: "New"},
		}, portal.WriteOptions{}))
	})},
	{name: "session EditAccessGrant", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.EditAccessGrant(ctx, data.AccessGrant{Key: "a/001", Spaces: data.Refs(data.KindRoom, "a/002")}, portal.WriteOptions{}))
	})},
	{name: "session CancelAccessGrant", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.CancelAccessGrant(ctx, "a/001", portal.WriteOptions{}))
	})},
	{name: "session UndoCancelAccessGrant", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.UndoCancelAccessGrant(ctx, cancelled.Key))
	})},
	{name: "session UndoEditAccessGrant", do: session(func(ctx context.Context, s *portal.Session) error {
		before := data.AccessGrant{Name: "Before the edit"}
		after := data.AccessGrant{Key: "a/001", Meta: data.Meta{UpdatedAt: farFuture}} // as if an edit had removed the name
		return only(s.UndoEditAccessGrant(ctx, before, after))
	})},
	{name: "session UndoRemoveStaffMember", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.UndoRemoveStaffMember(ctx, removed.Key))
	})},
	{name: "session AddStaffMember", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.AddStaffMember(ctx, data.UserIdentity{Name: "New"}, portal.WriteOptions{}))
	})},
	{name: "session EditStaffMember", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.EditStaffMember(ctx, data.UserIdentity{Key: "a/staff", Name: "Edited"}, portal.WriteOptions{}))
	})},
	{name: "session AssignStaffMember", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.AssignStaffMember(ctx, data.UserIdentity{Key: "a/staff", Spaces: data.Refs(data.KindRoom, "a/002")}, portal.WriteOptions{}))
	})},
	{name: "session EditUserIdentity", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.EditUserIdentity(ctx, data.UserIdentity{Key: "a/001", Name: "Edited"}, portal.WriteOptions{}))
	})},
	{name: "session RemoveStaffMember", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.RemoveStaffMember(ctx, "a/staff", portal.WriteOptions{}))
	})},
	{name: "session CreateSpace", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.CreateSpace(ctx, data.Space{Kind: data.KindRoom, Name: "New", ParentSiteKey: "a/site"}, portal.WriteOptions{}))
	})},
	{name: "session RenameSpace", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.RenameSpace(ctx, "a/001", "Renamed", portal.WriteOptions{}))
	})},
	{name: "session MoveSpace", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.MoveSpace(ctx, "a/001", "", portal.WriteOptions{}))
	})},
	{name: "view PlanDelete", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.PlanDelete(ctx, data.Ref{Kind: data.KindSpace, Key: "a/site"}))
	})},
	{name: "session DeleteSpace", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.DeleteSpace(ctx, "a/site", portal.WriteOptions{}))
	})},
	{name: "view Devices", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.Devices(ctx, portal.DeviceQuery{})) })},
	{name: "view LockedSpaces", do: viewed(func(ctx context.Context, v *portal.View) error { return three(v.LockedSpaces(ctx)) })},
	{name: "view DeviceAttention", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.DeviceAttention(ctx, "", 10)) })},
	{name: "view Device", do: viewed(func(ctx context.Context, v *portal.View) error { return three(v.Device(ctx, deviceOf("a"))) })},
	{name: "view DeviceActivity", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.DeviceActivity(ctx, deviceOf("a"), 0, ""))
	})},
	{name: "view ActionAttempt", do: viewed(func(ctx context.Context, v *portal.View) error {
		return ignoreMissing(only(v.ActionAttempt(ctx, uuid.UUID{1})))
	})},
	{name: "session WaitForAttempt", do: session(func(ctx context.Context, s *portal.Session) error {
		return ignoreMissing(only(s.WaitForAttempt(ctx, uuid.UUID{1}, time.Nanosecond)))
	})},
	{name: "session ControlDevice", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.ControlDevice(ctx, deviceOf("a"), device.Command{Kind: device.Unlock}, "0123456789abcdef"))
	})},
	{name: "view AccessCodes", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.AccessCodes(ctx, data.Ref{Kind: data.KindReservation, Key: "a/001"}))
	})},
	{name: "view CodesOfGrants", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.CodesOfGrants(ctx, []string{"a/001", "a/002"}))
	})},
	{name: "view SpaceCodes", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.SpaceCodes(ctx, "a/001", 10)) })},
	{name: "session ReissuePIN", do: session(func(ctx context.Context, s *portal.Session) error {
		err := only(s.ReissuePIN(ctx, data.Ref{Kind: data.KindReservation, Key: "a/001"}, "0123456789abcdef"))
		if errors.Is(err, access.ErrNoCodes) { // no lock has access codes
			return nil
		}
		return err
	})},
	{name: "view AutomationRules", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.AutomationRules(ctx)) })},
	{name: "session SetAutomationRules", do: session(func(ctx context.Context, s *portal.Session) error {
		return s.SetAutomationRules(ctx, access.Rules{}, access.Rules{})
	})},
	{name: "view ConnectedAccounts", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.ConnectedAccounts(ctx)) })},
	{name: "view ConnectedAccount", do: viewed(func(ctx context.Context, v *portal.View) error {
		return three(v.ConnectedAccount(ctx, accountOf("a")))
	})},
	{name: "view DeviceSuggestions", do: viewed(func(ctx context.Context, v *portal.View) error { return only(v.DeviceSuggestions(ctx)) })},
	{name: "view MappableDevice", do: viewed(func(ctx context.Context, v *portal.View) error {
		return only(v.MappableDevice(ctx, deviceOf("a")))
	})},
	{name: "session Connect", do: session(func(ctx context.Context, s *portal.Session) error { return only(s.Connect(ctx, stepOf("new"))) })},
	{name: "session ResumeConnect", do: session(func(ctx context.Context, s *portal.Session) error {
		if err := only(s.ResumeConnect(ctx, nil)); !errors.Is(err, access.ErrConnectExpired) { // nothing waits for a login
			return err
		}
		return nil
	})},
	{name: "session DeleteAccount", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.DeleteAccount(ctx, accountOf("a")))
	})},
	{name: "session MapDevices", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.MapDevices(ctx, access.DeviceMapping{DeviceID: deviceOf("a"), Mapping: access.Mapping{SpaceKey: "a/001"}}))
	})},
	{name: "session UnmapDevices", do: session(func(ctx context.Context, s *portal.Session) error {
		return only(s.UnmapDevices(ctx, access.DeviceMapping{DeviceID: deviceOf("a"), Mapping: access.Mapping{SpaceKey: "a/001"}}))
	})},
	{name: "portal CreateWebview", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.CreateWebview(ctx, h.ws, portal.WebviewRequest{CustomerKey: "a"}))
	}},
	{name: "portal Webview", do: func(ctx context.Context, h host, w *world) error {
		return only(h.portals.Webview(ctx, h.ws, w.webview))
	}},
	{name: "portal Webviews", do: func(ctx context.Context, h host, _ *world) error {
		return only(h.portals.Webviews(ctx, h.ws, portal.WebviewQuery{}))
	}},
	{name: "portal DeleteWebview", do: func(ctx context.Context, h host, w *world) error {
		return h.portals.DeleteWebview(ctx, h.ws, w.webview)
	}},
	{name: "view Webview", do: connecting(func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(v *portal.View) error { return three(v.Webview(ctx)) })
	})},
	{name: "session FailWebview", do: connecting(func(ctx context.Context, s *portal.Session) error { return s.FailWebview(ctx) })},
	{name: "session Connect of a webview", do: connecting(func(ctx context.Context, s *portal.Session) error {
		return only(s.Connect(ctx, stepOf("new")))
	})},
	{name: "session View", do: session(func(ctx context.Context, s *portal.Session) error {
		return s.View(ctx, func(*portal.View) error { return nil })
	})},
	{name: "session End", do: session(func(ctx context.Context, s *portal.Session) error { return s.End(ctx) })},
	{name: "DB VerifyStore", do: func(ctx context.Context, h host, _ *world) error { return only(h.ws.DB().VerifyStore(ctx)) }},
	{name: "Backup", do: func(ctx context.Context, h host, _ *world) error {
		return only(storage.Backup(ctx, h.ws.DB().Store(), discard{}))
	}},
})

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// matches reports whether an error matches one of several errors.
func matches(err error, any []error) bool {
	return slices.ContainsFunc(any, func(want error) bool { return errors.Is(err, want) })
}
