package portal_test

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/storage/memory"
	"github.com/customerportal-go/customerportal/validation"
)

var unlock = device.Command{Kind: device.Unlock}

// fillEstate adds devices to the estate: one for each listing and room, a front door, a lock for two listings, and one that is not
// mapped.
func fillEstate(t *testing.T, f *fixture) {
	_, err := f.ws.Push(t.Context(), *estate())
	require.NoError(t, err)
	for name, spaces := range map[string]string{
		"lock of n1": "n1", "lock of s1": "s1", "lock of 101": "101", "lock of 201": "201", "front door": "town", "both": "s1 n2", "unmapped": "",
	} {
		f.addDevice(t, "My Company", name, strings.Fields(spaces)...)
	}
}

// TestDeviceAttention_Site_OmitsDevicesOfOtherSites compares the devices that need attention at each site, with the names of the sites.
func TestDeviceAttention_Site_OmitsDevicesOfOtherSites(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		attention := func(site string, limit int) (names []string, sites map[string]bool) {
			sites = map[string]bool{}
			require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
				page, err := v.DeviceAttention(t.Context(), site, limit)
				for _, item := range page.Items {
					if item.Type != access.AttentionLowBattery {
						continue
					}
					names = append(names, item.Name)
					for _, ref := range item.Spaces {
						sp, known := page.Related.Space(ref.Key)
						require.True(t, known)
						sites[cmp.Or(sp.ParentSiteKey, sp.Key)] = true
					}
				}
				return err
			}))
			return names, sites
		}
		all, _ := attention("", 100)
		require.Len(t, all, 7)
		here, sites := attention("town", 100)
		require.ElementsMatch(t, []string{"front door", "lock of 101", "unmapped"}, here)
		require.Equal(t, map[string]bool{"town": true}, sites)
		here, _ = attention("town", 4) // two items for each device
		require.Len(t, here, 2)
		here, _ = attention("no such site", 100)
		require.Equal(t, []string{"unmapped"}, here)
	})
}

// TestDevices_RestrictedPortals_ShowOnlyMappedToVisibleSpaces lists, reads, watches and controls the devices in portals of every kind.
func TestDevices_RestrictedPortals_ShowOnlyMappedToVisibleSpaces(t *testing.T) {
	for name, test := range map[string]struct {
		config portal.Config
		shown  []string // in their order
	}{
		"full": {portal.Config{}, []string{"front door", "lock of 101", "lock of n1", "both", "lock of s1", "lock of 201", "unmapped"}},
		"filters": {
			portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}},
			[]string{"front door", "lock of 101", "lock of n1", "both", "lock of 201"},
		},
		"restricted": {
			portal.Config{NavigationMode: portal.NavigationRestricted},
			[]string{"front door", "lock of 101", "lock of n1", "both", "lock of s1", "lock of 201"},
		},
		"a site": {
			portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindSite, "town")},
			[]string{"front door", "lock of 101"},
		},
		"a room": {portal.Config{NavigationMode: portal.NavigationRestricted, LandingPage: ref(data.KindRoom, "101")}, []string{"lock of 101"}},
		"a deep link to a reservation": {
			portal.Config{DeepLink: ref(data.KindReservation, "rn2"), NavigationMode: portal.NavigationRestricted},
			[]string{"both", "lock of s1"},
		},
		"a deep link to a space": {portal.Config{DeepLink: ref(data.KindSpace, "201"), NavigationMode: portal.NavigationRestricted}, []string{"lock of 201"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				fillEstate(t, f)
				_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: test.config})
				page, err := one(s).Devices(t.Context(), portal.DeviceQuery{})
				require.NoError(t, err)
				require.Equal(t, test.shown, names(page.Items))
				require.Equal(t, len(test.shown), page.Total)
				visible := spaces(t, s)
				shown := map[string]bool{}
				for _, d := range page.Items {
					shown[d.Name] = true
					require.True(t, d.State.Locked.Is(true), "the state is read")
					for _, m := range d.Mappings {
						require.Contains(t, visible, m.SpaceKey)
						_, known := page.Related.Space(m.SpaceKey)
						require.True(t, known)
					}
				}
				var attention map[string]bool
				require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
					items, err := v.DeviceAttention(t.Context(), "", 100)
					attention = map[string]bool{}
					for _, item := range items.Items {
						attention[item.Name] = true
						for _, sp := range item.Spaces {
							require.Contains(t, visible, sp.Key)
						}
					}
					return err
				}))
				require.Equal(t, shown, attention)
				for _, device := range strings.Split("lock of n1,lock of s1,lock of 101,lock of 201,front door,both,unmapped", ",") {
					id := deviceOf("My Company", device)
					_, _, err := one(s).Device(t.Context(), id)
					_, commandErr := s.ControlDevice(t.Context(), id, unlock, strings.ReplaceAll(token+device, " ", "-"))
					activityErr := s.View(t.Context(), func(v *portal.View) error { return drop(v.DeviceActivity(t.Context(), id, 0, "")) })
					for _, err := range []error{err, commandErr, activityErr} {
						if shown[device] {
							require.NoError(t, err, device)
						} else {
							require.Equal(t, access.ErrDeviceNotFound, err, device)
						}
					}
				}
				_, err = s.ControlDevice(t.Context(), uuid.New(), unlock, token)
				require.Equal(t, access.ErrDeviceNotFound, err, "the same error for a device that does not exist")
				attempts, err := f.portals.Access().Workspace(f.ws.ID()).Customer("My Company").Attempts(t.Context(), access.AttemptQuery{})
				require.NoError(t, err)
				require.Len(t, attempts.Items, len(test.shown))
				for _, a := range attempts.Items {
					require.Equal(t, data.Actor{Type: data.ActorPortal, PortalID: s.Portal().ID}, a.Actor)
				}
			})
		})
	}
}

func TestDevices_Query_SelectsAndPages(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		for _, test := range []struct {
			q    portal.DeviceQuery
			want []string
		}{
			{portal.DeviceQuery{SpaceKeys: []string{"s1"}}, []string{"both", "lock of s1"}},
			{portal.DeviceQuery{SpaceKeys: []string{"101", "201", "absent"}}, []string{"lock of 101", "lock of 201"}},
			{portal.DeviceQuery{Text: "LISTING s1"}, []string{"both", "lock of s1"}},
			{portal.DeviceQuery{Text: "town"}, []string{"front door", "lock of 101"}},
			{portal.DeviceQuery{Text: "nothing"}, nil},
			{portal.DeviceQuery{Offset: 5, Limit: 1}, []string{"lock of 201"}},
			{portal.DeviceQuery{Offset: 100}, nil},
		} {
			page, err := one(s).Devices(t.Context(), test.q)
			require.NoError(t, err)
			require.Equal(t, test.want, names(page.Items), "%+v", test.q)
		}
		for _, q := range []portal.DeviceQuery{{Limit: 1001}, {Offset: -1}} {
			_, err := one(s).Devices(t.Context(), q)
			require.ErrorIs(t, err, validation.ErrInvalid)
		}
	})
}

// TestControlDevice_OtherCustomer_IsNotFound controls and reads devices of another customer.
func TestControlDevice_OtherCustomer_IsNotFound(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		other := data.CustomerData{CustomerKey: "other"}
		other.Add(data.Room("secret", "Secret"))
		_, err := f.ws.Push(t.Context(), other)
		require.NoError(t, err)
		secret := f.addDevice(t, "other", "secret lock", "secret")
		scope := f.portals.Access().Workspace(f.ws.ID())
		attempt, err := scope.Do(t.Context(), secret, unlock, data.Actor{}, 0)
		require.NoError(t, err)
		_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		_, err = s.ControlDevice(t.Context(), secret, unlock, token)
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		_, _, err = one(s).Device(t.Context(), secret)
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		_, err = s.WaitForAttempt(t.Context(), attempt.ID, time.Minute)
		require.ErrorIs(t, err, access.ErrAttemptNotFound)
		require.ErrorIs(t, s.View(t.Context(), func(v *portal.View) error {
			return drop(v.DeviceActivity(t.Context(), secret, 0, ""))
		}), access.ErrDeviceNotFound)
		page, err := one(s).Devices(t.Context(), portal.DeviceQuery{SpaceKeys: []string{"secret"}})
		require.NoError(t, err)
		require.Empty(t, page.Items)
		page, err = one(s).Devices(t.Context(), portal.DeviceQuery{})
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprint(page), "secret")
		attempts, err := scope.Customer("other").Attempts(t.Context(), access.AttemptQuery{})
		require.NoError(t, err)
		require.Len(t, attempts.Items, 1)
	})
}

// TestControlDevice_ConfigChangesBeforeCommit_IsRefused changes the configuration and the mapping of the device after a command was
// checked for the first time and before its action attempt is stored.
func TestControlDevice_ConfigChangesBeforeCommit_IsRefused(t *testing.T) {
	for name, change := range map[string]func(*portal.Config){
		"read-only": func(c *portal.Config) { c.ReadOnly = true },
		"a feature": func(c *portal.Config) { c.Features.Manage.Exclude = true },
		"a filter":  func(c *portal.Config) { c.Filters = []portal.Filter{{Field: "region", Value: "south"}} },
		"a page": func(c *portal.Config) {
			c.NavigationMode, c.LandingPage = portal.NavigationRestricted, ref(data.KindRoom, "201")
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				f, h := hooked(t, f)
				fillEstate(t, f)
				p, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
				meanwhile := func() {
					_, err := f.portals.UpdateConfig(t.Context(), f.ws, p.ID, func(c *portal.Config) error { change(c); return nil })
					require.NoError(t, err)
				}
				h.before.Store(&meanwhile)
				_, err := s.ControlDevice(t.Context(), deviceOf("My Company", "lock of n1"), unlock, token)
				require.Error(t, err)
				if name == "read-only" || name == "a feature" {
					require.ErrorIs(t, err, portal.ErrRefused)
				} else {
					require.ErrorIs(t, err, access.ErrDeviceNotFound)
				}
				attempts, err := f.portals.Access().Workspace(f.ws.ID()).Attempts(t.Context(), access.AttemptQuery{DeviceID: deviceOf("My Company", "lock of n1")})
				require.NoError(t, err)
				require.Empty(t, attempts.Items)
			})
		})
	}
}

// TestControlDevice_BadInput_SendsNothing uses invalid tokens and commands.
func TestControlDevice_BadInput_SendsNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		fillEstate(t, f)
		_, s := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		lock, other := deviceOf("My Company", "lock of 101"), deviceOf("My Company", "lock of 201")
		_, err := s.ControlDevice(t.Context(), lock, unlock, "short")
		require.Equal(t, []string{"token format"}, faults(t, err))
		_, err = s.ControlDevice(t.Context(), lock, device.Command{Kind: device.SetClimate}, token)
		require.ErrorIs(t, err, device.ErrUnsupported)
		first, err := s.ControlDevice(t.Context(), lock, unlock, token)
		require.NoError(t, err)
		again, err := s.ControlDevice(t.Context(), lock, unlock, token)
		require.NoError(t, err)
		require.Equal(t, first, again)
		_, err = s.ControlDevice(t.Context(), other, unlock, token)
		require.ErrorIs(t, err, access.ErrTokenUsed)
		_, elsewhere := f.open(t, portal.CreateRequest{CustomerKey: "My Company"})
		second, err := elsewhere.ControlDevice(t.Context(), lock, unlock, token)
		require.NoError(t, err)
		require.NotEqual(t, first.ID, second.ID, "a token of another portal")
		attempts, err := f.portals.Access().Workspace(f.ws.ID()).Customer("My Company").Attempts(t.Context(), access.AttemptQuery{})
		require.NoError(t, err)
		require.Len(t, attempts.Items, 2)
	})
}

func TestDevices_ServiceWithoutAccess_AreRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		plain, err := portal.New(f.ws.DB(), portal.Options{BaseURL: "https://se.am", Keys: f.keys})
		require.NoError(t, err)
		f.portals = plain
		s := f.session(t, portal.Config{})
		require.ErrorIs(t, s.Can(portal.ActionReadDevices), portal.ErrRefused)
		require.ErrorIs(t, s.Can(portal.ActionControlDevice), portal.ErrRefused)
		_, err = one(s).Devices(t.Context(), portal.DeviceQuery{})
		require.ErrorIs(t, err, portal.ErrRefused)
		_, err = s.ControlDevice(t.Context(), uuid.New(), unlock, token)
		require.ErrorIs(t, err, portal.ErrRefused)
		_, err = s.WaitForAttempt(t.Context(), uuid.New(), time.Minute)
		require.ErrorIs(t, err, portal.ErrRefused)
	})
}

// TestControlDevice_RunningService_UnlocksAndRecordsTheActor unlocks a simulated lock, and waits for a device that does not answer.
func TestControlDevice_RunningService_UnlocksAndRecordsTheActor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		world := simulated.New(simulated.Options{Seed: 1})
		world.AddLogin(simulated.Login{User: "anna", Password: "secret"})
		world.AddDevice("anna", simulated.Lock("l1", "Door"))
		db := data.Open(memory.New(), data.Options{})
		master, err := keys.NewMaster()
		require.NoError(t, err)
		ring, err := keys.New(0, map[int][]byte{0: master})
		require.NoError(t, err)
		svc, err := access.New(db, access.Options{Keys: ring, Providers: []device.Provider{world.Provider("test")}})
		require.NoError(t, err)
		portals, err := portal.New(db, portal.Options{BaseURL: "https://se.am", Keys: ring, Access: svc})
		require.NoError(t, err)
		f := &fixture{ws: db.Workspace(workspaceID), portals: portals, keys: ring}
		_, s := f.open(t, portal.CreateRequest{CustomerData: hotel()})
		scope := svc.Workspace(workspaceID).Customer("My Company")
		_, err = scope.Connect(t.Context(), access.ConnectStep{Provider: simulated.Key, Answers: map[string]device.Secret{
			"username": device.NewSecret("anna"), "password": device.NewSecret("secret"),
		}})
		require.NoError(t, err)
		defer runAccess(t, svc)()
		synctest.Wait()
		page, err := one(s).Devices(t.Context(), portal.DeviceQuery{})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		id := page.Items[0].ID
		a, err := s.ControlDevice(t.Context(), id, unlock, token)
		require.NoError(t, err)
		a, err = s.WaitForAttempt(t.Context(), a.ID, time.Minute)
		require.NoError(t, err)
		require.Equal(t, access.AttemptSuccess, a.Status)
		require.True(t, a.Confirmed)
		synctest.Wait()
		var activity data.Page[access.Activity]
		require.NoError(t, s.View(t.Context(), func(v *portal.View) error {
			activity, err = v.DeviceActivity(t.Context(), id, 0, "")
			return err
		}))
		require.Equal(t, access.ActivityUnlocked, activity.Items[0].Kind)
		require.Equal(t, s.Portal().ID, activity.Items[0].Actor.PortalID)
		allowed := portal.Config{}
		allowed.Features.Manage.Events.AllowedEvents = []string{"lock.unlocked"}
		_, elsewhere := f.open(t, portal.CreateRequest{CustomerKey: "My Company", Config: allowed})
		require.NoError(t, elsewhere.View(t.Context(), func(v *portal.View) error {
			activity, err = v.DeviceActivity(t.Context(), id, 0, "")
			return err
		}))
		require.Len(t, activity.Items, 1, "the events that the configuration allows")
		require.Zero(t, activity.Items[0].Actor.PortalID, "the id of another portal is not shown")

		release := world.Hold("l1")
		defer release()
		began := time.Now()
		a, err = s.ControlDevice(t.Context(), id, device.Command{Kind: device.Lock}, token+"2")
		require.NoError(t, err)
		a, err = s.WaitForAttempt(t.Context(), a.ID, 3*time.Second)
		require.NoError(t, err)
		require.Equal(t, access.AttemptPending, a.Status)
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}
