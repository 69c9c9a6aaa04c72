package portal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/backends"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage"
)

// toDevice returns the configuration of a deep link to a device.
func toDevice(id uuid.UUID) portal.Config {
	return portal.Config{DeepLink: ref(data.KindDevice, id.String())}
}

// rows returns all rows of the store as text, by key.
func (f *fixture) rows(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, row := range backends.Rows(t, f.ws.DB().Store()) {
		out[fmt.Sprintf("%q", row.Key)] = fmt.Sprintf("%q", row.Value)
	}
	return out
}

func (f *fixture) requireUndamaged(t *testing.T) {
	t.Helper()
	report, err := f.ws.DB().VerifyStore(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Damage)
}

// deleteDevice deletes a device of addDevice, whether or not its account lists it.
func (f *fixture) deleteDevice(t *testing.T, customer, name string) {
	t.Helper()
	c, err := f.ws.Customer(t.Context(), customer)
	require.NoError(t, err)
	require.NoError(t, devicedata.Within(t.Context(), f.ws, devicedata.IDOf(c), func(ctx context.Context, tx data.CustomerTx) error {
		return drop(devicedata.DeleteDevices(ctx, tx, deviceOf(customer, name)))
	}))
}

// TestDeviceLink_Config_IsReturnedAsGiven creates a deep link to a device from JSON, and reads and changes it.
func TestDeviceLink_Config_IsReturnedAsGiven(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		id := deviceOf("My Company", "lock of 101")
		given := fmt.Sprintf(`{"resource_type": "device", "resource_id": %q}`, id)
		var c portal.Config
		require.NoError(t, json.Unmarshal([]byte(`{"deep_link": `+given+`}`), &c))
		require.Equal(t, toDevice(id).DeepLink, c.DeepLink)
		p := f.create(t, portal.CreateRequest{CustomerKey: "My Company", Config: c})
		require.Empty(t, p.Warnings)
		deepLink := func() string {
			stored, err := f.portals.Get(t.Context(), f.ws, p.ID)
			require.NoError(t, err)
			b, err := json.Marshal(stored.Config)
			require.NoError(t, err)
			var members map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(b, &members))
			return string(members["deep_link"])
		}
		require.JSONEq(t, given, deepLink())
		_, err := f.portals.Open(t.Context(), f.ws, "My Company")
		require.ErrorIs(t, err, portal.ErrNotFound, "a deep link is not the customer's portal")

		var upper portal.Config
		require.NoError(t, json.Unmarshal([]byte(`{"deep_link": `+strings.Replace(given, id.String(), strings.ToUpper(id.String()), 1)+`}`), &upper))
		require.Equal(t, c.DeepLink, upper.DeepLink, "the form of the id")

		other := deviceOf("My Company", "unmapped")
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { *c = toDevice(other); return nil })
		require.NoError(t, err)
		require.JSONEq(t, strings.Replace(given, id.String(), other.String(), 1), deepLink())
		f.deleteDevice(t, "My Company", "lock of 101")
		state := func() portal.State {
			p, err := f.portals.Get(t.Context(), f.ws, p.ID)
			require.NoError(t, err)
			return p.State
		}
		require.Equal(t, portal.StateLive, state(), "the portal does not show this device any more")
		f.deleteDevice(t, "My Company", "unmapped")
		require.Equal(t, portal.StateRevoked, state())
		f.requireUndamaged(t)
	})
}

// TestDeviceLink_InvalidTarget_IsAFault creates portals with deep links that cannot show a device, and changes portals to such links.
func TestDeviceLink_InvalidTarget_IsAFault(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		other := data.CustomerData{CustomerKey: "other"}
		other.Add(data.Room("secret", "Secret"))
		_, err := f.ws.Push(t.Context(), other)
		require.NoError(t, err)
		foreign := f.addDevice(t, "other", "secret lock", "secret")
		own := deviceOf("My Company", "lock of 101")
		f.addDevice(t, "My Company", "gone")
		f.deleteDevice(t, "My Company", "gone")
		space, err := f.ws.Space(t.Context(), "101")
		require.NoError(t, err)
		link := f.create(t, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(own)})
		plain := f.create(t, portal.CreateRequest{CustomerKey: "My Company"})
		before := f.rows(t)
		configOf := func(deepLink string) (c portal.Config) {
			require.NoError(t, json.Unmarshal([]byte(`{"deep_link": `+deepLink+`}`), &c))
			return c
		}
		for name, test := range map[string]struct {
			config portal.Config
			want   string
		}{
			"the device of another customer": {toDevice(foreign), "deep_link.resource_id not_there_yet"},
			"an unknown device":              {toDevice(uuid.New()), "deep_link.resource_id not_there_yet"},
			"a deleted device":               {toDevice(deviceOf("My Company", "gone")), "deep_link.resource_id not_there_yet"},
			"a zero id":                      {toDevice(uuid.Nil), "deep_link.resource_id not_there_yet"},
			"the id of an account":           {toDevice(accountOf("My Company")), "deep_link.resource_id not_there_yet"},
			"the id of a space":              {toDevice(space.Meta.ID), "deep_link.resource_id not_there_yet"},
			"the id of a portal":             {toDevice(plain.ID), "deep_link.resource_id not_there_yet"},
			"a key":                          {portal.Config{DeepLink: ref(data.KindDevice, "lock of 101")}, "deep_link.resource_id format"},
			"an id in upper case":            {portal.Config{DeepLink: ref(data.KindDevice, strings.ToUpper(own.String()))}, "deep_link.resource_id format"},
			"an empty id":                    {portal.Config{DeepLink: ref(data.KindDevice, "")}, "deep_link.resource_id format"},
			"a landing page":                 {portal.Config{LandingPage: ref(data.KindDevice, own.String())}, "landing_page.manage format"},
			"JSON without an id":             {configOf(`{"resource_type": "device"}`), "deep_link.resource_id required"},
			"JSON with a null id":            {configOf(`{"resource_type": "device", "resource_id": null}`), "deep_link.resource_id required"},
			"JSON with a key":                {configOf(fmt.Sprintf(`{"resource_type": "device", "resource_key": %q}`, own)), "deep_link.resource_id required"},
			"JSON with a number":             {configOf(`{"resource_type": "device", "resource_id": 7}`), "deep_link.resource_id type"},
			"JSON with another form":         {configOf(fmt.Sprintf(`{"resource_type": "device", "resource_id": "{%s}"}`, own)), "deep_link.resource_id format"},
			"JSON without hyphens":           {configOf(fmt.Sprintf(`{"resource_type": "device", "resource_id": %q}`, strings.ReplaceAll(own.String(), "-", ""))), "deep_link.resource_id format"},
			"JSON of a space with an id":     {configOf(fmt.Sprintf(`{"resource_type": "space", "resource_id": %q}`, own)), "deep_link.resource_key required"},
		} {
			_, err := f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company", Config: test.config})
			require.Equal(t, []string{test.want}, faults(t, err), name)
			_, err = f.portals.UpdateConfig(t.Context(), f.ws, link.ID, func(c *portal.Config) error { *c = test.config; return nil })
			require.Contains(t, append(faults(t, err), "deep_link format"), test.want, name)
			require.Equal(t, before, f.rows(t), name)
		}
		_, err = f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(foreign)})
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		fresh := data.CustomerData{CustomerKey: "new"}
		fresh.Add(data.Room("new", "New"))
		_, err = f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerData: &fresh, Config: toDevice(own)})
		require.Equal(t, []string{"deep_link.resource_id not_there_yet"}, faults(t, err), "a customer of the same request")
		elsewhere := f.ws.DB().Workspace(uuid.New())
		_, err = f.portals.Create(t.Context(), elsewhere, portal.CreateRequest{CustomerData: estate(), Config: toDevice(own)})
		require.Equal(t, []string{"deep_link.resource_id not_there_yet"}, faults(t, err), "another workspace")
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, plain.ID, func(c *portal.Config) error { *c = toDevice(own); return nil })
		require.Equal(t, []string{"deep_link format"}, faults(t, err), "a portal that is not a deep link")
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, link.ID, func(c *portal.Config) error { *c = portal.Config{}; return nil })
		require.Equal(t, []string{"deep_link format"}, faults(t, err))

		f.portals, err = portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		_, err = f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(own)})
		require.Equal(t, []string{"deep_link.resource_type not_there_yet"}, faults(t, err), "a service without devices")
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, link.ID, func(c *portal.Config) error { c.ReadOnly = true; return nil })
		require.NoError(t, err, "the deep link does not change")
		s, err := f.portals.Resolve(t.Context(), portal.Code(link.URL.Reveal()))
		require.NoError(t, err)
		_, _, err = one(s).Device(t.Context(), own)
		require.ErrorIs(t, err, portal.ErrRefused)
		_, err = one(s).Spaces(t.Context(), data.Query{})
		require.ErrorIs(t, err, portal.ErrRefused)
	})
}

// TestDeviceLink_Session_ShowsOnlyTheDevice reads, in portals with various other fields, everything that a View returns.
func TestDeviceLink_Session_ShowsOnlyTheDevice(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		f.addDevice(t, "My Company", "second of 101", "101")
		attempts := map[string]uuid.UUID{}
		for _, of := range []string{"lock of n1", "second of 101", "front door", "unmapped", "both"} {
			a, err := f.access.Workspace(f.ws.ID()).Do(t.Context(), deviceOf("My Company", of), unlock, data.Actor{}, 0)
			require.NoError(t, err)
			attempts[of] = a.ID
		}
		for _, of := range []string{"lock of 101", "unmapped", "both", "front door"} {
			id := deviceOf("My Company", of)
			for name, change := range map[string]func(*portal.Config){
				"a deep link": func(*portal.Config) {},
				"restricted":  func(c *portal.Config) { c.NavigationMode = portal.NavigationRestricted },
				"filters":     func(c *portal.Config) { c.Filters = []portal.Filter{{Field: "region", Value: "nowhere"}} },
				"a page": func(c *portal.Config) {
					c.NavigationMode, c.LandingPage = portal.NavigationRestricted, ref(data.KindSite, "town")
				},
				"without reservations": func(c *portal.Config) { c.Features.Manage.ExcludeReservationManagement = true },
				"without spaces":       func(c *portal.Config) { c.Features.Organize.Exclude = true },
			} {
				controlled := name == "a deep link" || name == "filters" // a customer can have few attempts that have not ended
				name := of + ", " + name
				c := toDevice(id)
				change(&c)
				_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: c})
				require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
					ctx := t.Context()
					page, err := v.LandingPage(ctx)
					require.NoError(t, err)
					require.Equal(t, c.DeepLink, page, name)
					counts, err := v.Counts()
					require.NoError(t, err)
					require.Empty(t, counts, name)
					list, err := v.Devices(ctx, portal.DeviceQuery{})
					require.NoError(t, err)
					require.Equal(t, []string{of}, names(list.Items), name)
					require.Equal(t, 1, list.Total, name)
					d, related, err := v.Device(ctx, id)
					require.NoError(t, err)
					require.True(t, d.State.Locked.Is(true), name)
					require.Equal(t, d, list.Items[0], name)
					require.Empty(t, d.Mappings, name)
					require.Nil(t, d.Codes, name)
					require.Zero(t, d.AccountID, name)
					for _, key := range []string{"101", "n2", "s1", "town"} {
						_, known := related.Space(key)
						require.False(t, known, name)
						list, err := v.Devices(ctx, portal.DeviceQuery{SpaceKeys: []string{key}})
						require.NoError(t, err)
						require.Empty(t, list.Items, name)
					}
					for _, text := range []string{"town", "Room", "Listing"} {
						list, err := v.Devices(ctx, portal.DeviceQuery{Text: text})
						require.NoError(t, err)
						require.Empty(t, list.Items, name)
					}
					attention, err := v.DeviceAttention(ctx, "", 100)
					require.NoError(t, err)
					require.Empty(t, attention.Items, name)
					locked, _, err := v.LockedSpaces(ctx)
					require.NoError(t, err)
					require.Empty(t, locked, name)
					return nil
				}))
				for other := range attempts {
					if other == of {
						continue
					}
					otherID := deviceOf("My Company", other)
					_, _, err := one(s).Device(t.Context(), otherID)
					require.Equal(t, access.ErrDeviceNotFound, err, name)
					_, err = s.ControlDevice(t.Context(), otherID, unlock, token+"other")
					require.Equal(t, access.ErrDeviceNotFound, err, name)
					require.Equal(t, access.ErrDeviceNotFound, s.View(t.Context(), func(v *portal.View) error {
						return drop(v.DeviceActivity(t.Context(), otherID, 0, ""))
					}), name)
					require.Equal(t, access.ErrAttemptNotFound, s.View(t.Context(), func(v *portal.View) error {
						return drop(v.ActionAttempt(t.Context(), attempts[other]))
					}), name)
				}
				if !controlled {
					continue
				}
				a, err := s.ControlDevice(t.Context(), id, unlock, token)
				require.NoError(t, err, name)
				require.Equal(t, data.Actor{Type: data.ActorPortal, PortalID: s.Portal().ID}, a.Actor, name)
				require.Zero(t, a.AccountID, name)
				require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
					found, err := v.ActionAttempt(t.Context(), a.ID)
					require.Equal(t, a, found, name)
					return err
				}))
			}
		}
	})
}

// TestDeviceLink_Features_DecideAboutTheDevice excludes the features on which the device depends, and those on which it does not.
func TestDeviceLink_Features_DecideAboutTheDevice(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		id := deviceOf("My Company", "lock of 101")
		for name, test := range map[string]struct {
			change        func(*portal.Config)
			shown         bool
			controlReason string
		}{
			"everything": {func(*portal.Config) {}, true, ""},
			"read-only":  {func(c *portal.Config) { c.ReadOnly = true }, true, "read_only"},
			"manage":     {func(c *portal.Config) { c.Features.Manage.Exclude = true }, false, "feature"},
			"others": {func(c *portal.Config) {
				c.Features.Connect.Exclude, c.Features.Organize.Exclude, c.Features.Configure.Exclude = true, true, true
			}, true, ""},
		} {
			c := toDevice(id)
			test.change(&c)
			_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: c})
			page, err := one(s).LandingPage(t.Context())
			require.NoError(t, err)
			_, _, deviceErr := one(s).Device(t.Context(), id)
			if test.shown {
				require.NoError(t, deviceErr, name)
				require.Equal(t, c.DeepLink, page, name)
			} else {
				requireRefused(t, deviceErr, "feature", name)
				require.Zero(t, page, name)
			}
			_, err = s.ControlDevice(t.Context(), id, unlock, token)
			if test.controlReason == "" {
				require.NoError(t, err, name)
			} else {
				requireRefused(t, err, test.controlReason, name)
			}
		}
	})
}

// TestDeviceLink_TimeZone_IsThatOfItsSpaces compares the time zone of the pages while the device is mapped to various spaces.
func TestDeviceLink_TimeZone_IsThatOfItsSpaces(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := estate()
		d.CustomerTimeZone = "Europe/Oslo"
		for i := range d.Spaces {
			if d.Spaces[i].Key == "town" {
				d.Spaces[i].Details.TimeZone = "Europe/Lisbon"
			}
		}
		_, err := f.ws.Push(t.Context(), *d)
		require.NoError(t, err)
		id := f.addDevice(t, "My Company", "lock", "101", "201")
		p, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(id)})
		zone := func() string {
			a, err := one(s).Appearance(t.Context(), "")
			require.NoError(t, err)
			return a.TimeZone
		}
		require.Equal(t, "Europe/Lisbon", zone())
		_, err = f.scope("My Company").Unmap(t.Context(), access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: "101"}})
		require.NoError(t, err)
		require.Equal(t, "Europe/Oslo", zone(), "a room without site")
		f.addDevice(t, "My Company", "lock", "102")
		require.Equal(t, "Europe/Lisbon", zone())
		_, err = f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { c.Features.Manage.Exclude = true; return nil })
		require.NoError(t, err)
		require.Equal(t, "Europe/Oslo", zone(), "the portal does not show the device")
	})
}

// TestDeviceLink_MappingsChange_StillShowsOnlyTheDevice unmaps and maps the device, and deletes its spaces, while a session is open.
func TestDeviceLink_MappingsChange_StillShowsOnlyTheDevice(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		id := deviceOf("My Company", "lock of 101")
		_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(id)})
		requireShown := func(when string) {
			page, err := one(s).Devices(t.Context(), portal.DeviceQuery{})
			require.NoError(t, err, when)
			require.Equal(t, []string{"lock of 101"}, names(page.Items), when)
			d, _, err := one(s).Device(t.Context(), id)
			require.NoError(t, err, when)
			require.Empty(t, d.Mappings, when)
			_, _, err = one(s).Space(t.Context(), "101")
			requireRefused(t, err, "deep_link", when)
			f.requireUndamaged(t)
		}
		requireShown("mapped")
		_, err := f.scope("My Company").Unmap(t.Context(), access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: "101"}})
		require.NoError(t, err)
		requireShown("unmapped")
		_, err = f.scope("My Company").Map(t.Context(), access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: "201"}}, access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: "town", Shared: true}})
		require.NoError(t, err)
		requireShown("mapped to other spaces")
		report, err := f.ws.Delete(t.Context(), data.Selection{Resources: append(data.Refs(data.KindRoom, "201"), data.Refs(data.KindSite, "town")...)})
		require.NoError(t, err)
		require.Empty(t, report.Revoked)
		requireShown("its spaces are deleted")
	})
}

// TestDeviceLink_Deleted_IsRevoked deletes the device of a deep link, its account and its customer.
func TestDeviceLink_Deleted_IsRevoked(t *testing.T) {
	for name, test := range map[string]struct {
		remove func(*testing.T, *fixture)
		events int // of the revocation
	}{
		"the device": {func(t *testing.T, f *fixture) { f.deleteDevice(t, "My Company", "lock of 101") }, 1},
		"its account": {func(t *testing.T, f *fixture) {
			require.NoError(t, drop(f.scope("My Company").DeleteAccount(t.Context(), accountOf("My Company"))))
		}, 1},
		"its account, in a portal": {func(t *testing.T, f *fixture) {
			_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
			require.NoError(t, drop(s.DeleteAccount(t.Context(), accountOf("My Company"))))
		}, 1},
		"its customer": {func(t *testing.T, f *fixture) {
			report, err := f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
			require.NoError(t, err)
			require.Len(t, report.Revoked, 2)
			_, err = f.ws.DB().Sweep(t.Context())
			require.NoError(t, err)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				fillEstate(t, f)
				id := deviceOf("My Company", "lock of 101")
				p, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(id)})
				_, before := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(id)})
				_, _, err := one(before).Device(t.Context(), id)
				require.NoError(t, err)
				test.remove(t, f)
				requireRevoked := func(when string) {
					for _, s := range []*portal.Session{s, before} {
						_, _, err := one(s).Device(t.Context(), id)
						require.ErrorIs(t, err, portal.ErrRevoked, when)
						_, err = s.ControlDevice(t.Context(), id, unlock, token)
						require.ErrorIs(t, err, portal.ErrRevoked, when)
					}
					_, err := f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
					require.ErrorIs(t, err, portal.ErrRevoked, when)
					f.requireUndamaged(t)
				}
				requireRevoked("deleted")
				revoked := 0
				for c, err := range f.ws.Changes(t.Context(), data.Cursor{}) {
					require.NoError(t, err)
					if c.Change == data.PortalRevoked && c.ID == p.ID {
						revoked++
					}
				}
				require.Equal(t, test.events, revoked)

				_, err = f.ws.Push(t.Context(), *estate())
				require.NoError(t, err)
				f.addDevice(t, "My Company", "lock of 101", "101")
				requireRevoked("found again")
				_, again := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(id)})
				_, _, err = one(again).Device(t.Context(), id)
				require.NoError(t, err, "a new deep link")

				f.clock.Set(p.ExpiresAt.AddDate(1, 0, 0))
				_, err = f.portals.Purge(t.Context(), f.ws, f.clock.Now())
				require.NoError(t, err)
				f.requireUndamaged(t)
				_, err = f.ws.Delete(t.Context(), data.Selection{CustomerKeys: []string{"My Company"}})
				require.NoError(t, err)
				requireEmpty(t, f)
			})
		})
	}
}

// TestDeviceLink_Purged_LeavesNoEdge purges an expired deep link, and deletes its device afterwards.
func TestDeviceLink_Purged_LeavesNoEdge(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		p := f.create(t, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(deviceOf("My Company", "lock of 101"))})
		c, err := f.ws.Customer(t.Context(), "My Company")
		require.NoError(t, err)
		edge := fmt.Sprintf("%q", layout.DeviceLinkEdge(portaldata.CustomerID(c), deviceOf("My Company", "lock of 101"), p.ID))
		require.Contains(t, f.rows(t), edge)
		f.clock.Set(p.ExpiresAt.AddDate(1, 0, 0))
		_, err = f.portals.Purge(t.Context(), f.ws, f.clock.Now())
		require.NoError(t, err)
		require.NotContains(t, f.rows(t), edge)
		f.deleteDevice(t, "My Company", "lock of 101")
		f.requireUndamaged(t)
	})
}

// TestDeviceLink_CreatedWhileDeviceIsDeleted_IsRefusedOrRevoked creates deep links to devices while these are deleted.
func TestDeviceLink_CreatedWhileDeviceIsDeleted_IsRefusedOrRevoked(t *testing.T) {
	eachAll(t, func(t *testing.T, f *fixture) {
		_, err := f.ws.Push(t.Context(), *estate())
		require.NoError(t, err)
		const n = 12
		ids := make([]uuid.UUID, n)
		for i := range ids {
			ids[i] = f.addDevice(t, "My Company", fmt.Sprint("lock ", i), "101")
		}
		created, createErrs := make([]portal.CustomerPortal, n), make([]error, n)
		var running sync.WaitGroup
		for i, id := range ids {
			running.Go(func() {
				created[i], createErrs[i] = f.portals.Create(t.Context(), f.ws, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(id)})
			})
			running.Go(func() { f.deleteDevice(t, "My Company", fmt.Sprint("lock ", i)) })
		}
		running.Wait()
		for i := range ids {
			if createErrs[i] != nil {
				require.ErrorIs(t, createErrs[i], access.ErrDeviceNotFound)
				continue
			}
			p, err := f.portals.Get(t.Context(), f.ws, created[i].ID)
			require.NoError(t, err)
			require.Equal(t, portal.StateRevoked, p.State)
		}
		f.requireUndamaged(t)
	})
}

// TestSession_ConfigOfLaterVersion_IsAnError stores a configuration with parts that this version does not know. The portal must not
// open without them, because it would show more.
func TestSession_ConfigOfLaterVersion_IsAnError(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		p, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: toDevice(deviceOf("My Company", "lock of 101"))})
		c, err := f.ws.Customer(t.Context(), "My Company")
		require.NoError(t, err)
		key := layout.Portal(portaldata.CustomerID(c), p.ID)
		for old, later := range map[string]string{`"device"`: `"planet"`, `"resource_id":"`: `"resource_id":"x`} {
			var stored []byte
			require.NoError(t, f.ws.DB().Store().Update(t.Context(), func(tx storage.Tx) error {
				rows, err := tx.Get(t.Context(), key)
				if err != nil {
					return err
				}
				stored = rows[0]
				require.Contains(t, string(stored), old)
				return tx.Put(key, []byte(strings.Replace(string(stored), old, later, 1)))
			}))
			_, err = one(s).Spaces(t.Context(), data.Query{})
			require.ErrorIs(t, err, storage.ErrCorrupt, later)
			_, err = f.portals.Resolve(t.Context(), portal.Code(p.URL.Reveal()))
			require.ErrorIs(t, err, storage.ErrCorrupt, later)
			require.NoError(t, f.ws.DB().Store().Update(t.Context(), func(tx storage.Tx) error { return tx.Put(key, stored) }))
		}
	})
}
