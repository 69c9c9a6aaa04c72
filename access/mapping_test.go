package access_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/validation"
)

func TestSuggestions_NamesAndNumbers_SuggestSpaces(t *testing.T) {
	t.Parallel()
	names := map[string]string{ // device name -> space key
		"ROOM 101":             "101", // the same name
		"Schloss room-102":     "102", // all words
		"Tür 0103":             "103", // the number, with zeros
		"Étage Suite Lock":     "suite",
		"Room 104 left":        "",     // two spaces have this number
		"Unknown":              "",     // no match
		"Lock 7":               "",     // no such number
		"Room 105 Balcony":     "105b", // more words than Room 105
		"door":                 "",
		"Front door of Lobby!": "lobby",
	}
	var devices []device.Device
	for name := range names {
		devices = append(devices, simulated.Lock(name, name))
	}
	simulate(t, devices, func(t *testing.T, h *hotel) {
		_, err := h.ws.Push(t.Context(), data.CustomerData{CustomerKey: hotelKey, Spaces: []data.Space{
			data.Room("103", "Zimmer 103").In("site"), data.Room("suite", "Suite etage").In("site"),
			data.Room("104a", "Apartment 104").In("site"), data.Room("104b", "Studio 104").In("site"),
			data.Room("105", "Room 105").In("site"), data.Room("105b", "Balcony room 105").In("site"),
		}})
		require.NoError(t, err)
		s, err := h.scope.Suggestions(t.Context())
		require.NoError(t, err)
		require.Len(t, s.Unmapped, len(names))
		got := map[string]string{}
		var accept []access.DeviceMapping
		for _, m := range s.Mappings {
			got[m.DeviceName] = m.SpaceKey
			accept = append(accept, m.DeviceMapping)
		}
		for name, want := range names {
			require.Equal(t, want, got[name], name)
		}
		_, err = h.scope.Map(t.Context(), accept...)
		require.NoError(t, err)
		s, err = h.scope.Suggestions(t.Context())
		require.NoError(t, err)
		require.Empty(t, s.Mappings)
		require.Len(t, s.Unmapped, 4)
		var without []string
		for _, sp := range s.WithoutLock {
			without = append(without, sp.Key)
		}
		require.Equal(t, []string{"104a", "104b", "105"}, without, "the site and the lobby are no rooms")
		require.Len(t, s.Closed, 1)
		require.Equal(t, "Front door of Lobby!", s.Closed[0].Name)

		lobby := access.DeviceMapping{DeviceID: s.Closed[0].ID, Mapping: access.Mapping{SpaceKey: "lobby", Shared: true}}
		_, err = h.scope.Map(t.Context(), lobby)
		require.NoError(t, err)
		s, err = h.scope.Suggestions(t.Context())
		require.NoError(t, err)
		require.Empty(t, s.Closed, "a shared entrance")
		lobby.Shared = false
		_, err = h.scope.Map(t.Context(), lobby)
		require.NoError(t, err)
		require.Equal(t, []access.Mapping{{SpaceKey: "lobby"}}, h.device("Front door of Lobby!").Mappings)
		booking := data.Reservation("b1", data.Ref{Kind: data.KindGuest, Key: "g"}, data.Ref{Kind: data.KindSpace, Key: "lobby"})
		booking.StartsAt, booking.EndsAt = time.Now(), time.Now().Add(time.Hour)
		_, err = h.ws.Push(t.Context(), data.CustomerData{CustomerKey: hotelKey, UserIdentities: []data.UserIdentity{data.Guest("g", "G")}, AccessGrants: []data.AccessGrant{booking}})
		require.NoError(t, err)
		s, err = h.scope.Suggestions(t.Context())
		require.NoError(t, err)
		require.Empty(t, s.Closed, "an access grant names the lobby")
		time.Sleep(2 * time.Hour)
		s, err = h.scope.Suggestions(t.Context())
		require.NoError(t, err)
		require.Len(t, s.Closed, 1, "the access grant has ended")
	})
}

func TestMap_BadInput_ChangesNothing(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "A"), simulated.Lock("l2", "B")}, func(t *testing.T, h *hotel) {
		of := func(id uuid.UUID, space string) access.DeviceMapping {
			return access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: space}}
		}
		l1, l2 := h.device("l1").ID, h.device("l2").ID
		_, err := h.scope.Map(t.Context(), of(l1, "101"), of(l2, "nowhere"), of(uuid.UUID{5}, "101"))
		var invalid *validation.Error
		require.ErrorAs(t, err, &invalid)
		paths := []string{}
		for _, f := range invalid.Faults {
			paths = append(paths, f.Path)
		}
		require.ElementsMatch(t, []string{"mappings[1].space_key", "mappings[2].device_id"}, paths)
		require.Empty(t, h.device("l1").Mappings)
		_, err = h.scope.Map(t.Context(), make([]access.DeviceMapping, 1001)...)
		require.ErrorIs(t, err, validation.ErrInvalid)

		_, err = h.scope.Map(t.Context(), of(l1, "101"), of(l1, "102"), of(l2, "102"))
		require.NoError(t, err)
		require.Len(t, h.device("l1").Mappings, 2)
		page, err := h.scope.Devices(t.Context(), access.DeviceQuery{SpaceKey: "102"})
		require.NoError(t, err)
		require.Len(t, page.Items, 2)
		_, err = h.scope.Unmap(t.Context(), of(l1, "102"), of(l2, "never mapped"))
		require.NoError(t, err)
		require.Equal(t, []access.Mapping{{SpaceKey: "101"}}, h.device("l1").Mappings)
		_, err = h.ws.Delete(t.Context(), data.Selection{Resources: data.Refs(data.KindRoom, "101")})
		require.NoError(t, err)
		require.Empty(t, h.device("l1").Mappings, "its space was deleted")
	})
}

func TestDevices_Pages_ListEachDeviceOnce(t *testing.T) {
	t.Parallel()
	var devices []device.Device
	for i := range 25 {
		devices = append(devices, simulated.Lock(fmt.Sprint("l", i), fmt.Sprint("Lock ", i)), simulated.Thermostat(fmt.Sprint("t", i), "T"))
	}
	simulate(t, devices, func(t *testing.T, h *hotel) {
		for _, q := range []access.DeviceQuery{{Limit: 7}, {Limit: 7, Capability: device.CanUnlock}, {Limit: 25, Unmapped: true}} {
			seen := map[uuid.UUID]bool{}
			for {
				page, err := h.scope.Devices(t.Context(), q)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Items), q.Limit)
				for _, d := range page.Items {
					require.False(t, seen[d.ID])
					seen[d.ID] = true
				}
				if page.Next == "" {
					break
				}
				q.Cursor = page.Next
			}
			require.Len(t, seen, map[bool]int{true: 25, false: 50}[q.Capability != ""])
		}
		_, err := h.scope.Devices(t.Context(), access.DeviceQuery{Cursor: "x"})
		require.ErrorIs(t, err, data.ErrInvalidCursor)
		_, err = h.scope.Devices(t.Context(), access.DeviceQuery{Limit: 1001})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

func TestDeleteDevice_ListedDevice_IsRefused(t *testing.T) {
	t.Parallel()
	simulate(t, []device.Device{simulated.Lock("l1", "A")}, func(t *testing.T, h *hotel) {
		d := h.device("l1")
		_, err := h.scope.DeleteDevice(t.Context(), d.ID)
		require.ErrorIs(t, err, validation.ErrInvalid)
		h.world.RemoveDevice("l1")
		synctest.Wait()
		_, err = h.scope.DeleteDevice(t.Context(), d.ID)
		require.NoError(t, err)
		_, err = h.scope.Device(t.Context(), d.ID)
		require.ErrorIs(t, err, access.ErrDeviceNotFound)
		h.world.AddDevice("anna", simulated.Lock("l1", "A"))
		synctest.Wait()
		require.Equal(t, d.ID, h.device("l1").ID, "a device that is found again has the same id")
	})
}
