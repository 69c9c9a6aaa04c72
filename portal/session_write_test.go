package portal_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

func TestCreateAccessGrant_NewUser_CreatesBoth(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, err := f.portals.UpdateSettings(t.Context(), f.ws, func(s *portal.Settings) error {
			s.BusinessVertical = portal.VerticalShortTermRental
			return nil
		})
		require.NoError(t, err)
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		created, err := s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{
			Grant: data.AccessGrant{
				Name: "Weekend", Spaces: data.Refs(data.KindUnit, "n1"), PreferredCode: "4711",
				StartsAt: start, EndsAt: start.Add(time.Hour), CustomMetadata: data.CustomMetadata{"note": "late"},
			},
			NewUser: &data.UserIdentity{Name: "Dora", EmailAddress: "dora@example.com"},
		}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, data.KindReservation, created.Kind, "the kind of the vertical")
		require.Equal(t, data.KindGuest, created.User.Kind)
		require.Equal(t, data.Refs(data.KindPropertyListing, "n1"), created.Spaces, "a reference has the actual kind")
		require.Equal(t, data.CustomMetadata{"note": "late", "region": "north"}, created.CustomMetadata, "the portal sets the metadata that its filters require")
		require.Regexp(t, `^portal-[0-9a-z]{24}$`, created.Key)
		stored, err := f.ws.AccessGrant(t.Context(), created.Key)
		require.NoError(t, err)
		require.Equal(t, created, stored)
		guest, err := f.ws.UserIdentity(t.Context(), created.User.Key)
		require.NoError(t, err)
		require.Equal(t, "Dora", guest.Name)
		require.Equal(t, "My Company", guest.Meta.CustomerKey)
	})
}

func TestSessionWrite_InvalidRequest_ReturnsFaults(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		before, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		create := func(g data.AccessGrant, u *data.UserIdentity) error {
			return drop(s.CreateAccessGrant(t.Context(), portal.AccessGrantRequest{Grant: g, NewUser: u}, portal.WriteOptions{}))
		}
		edit := func(g data.AccessGrant) error { return drop(s.EditAccessGrant(t.Context(), g, portal.WriteOptions{})) }
		for _, test := range []struct {
			want string
			err  error
		}{
			{"ends_at time_order", create(data.AccessGrant{StartsAt: start, EndsAt: start}, nil)},
			{"preferred_code preferred_code", create(data.AccessGrant{PreferredCode: "12"}, nil)},
			{"key not_a_field", create(data.AccessGrant{Key: "mine"}, nil)},
			{"new_user.name required", create(data.AccessGrant{}, &data.UserIdentity{})},
			{"new_user.email_address email_address", create(data.AccessGrant{}, &data.UserIdentity{Name: "x", EmailAddress: "nobody"})},
			{"new_user one_user", create(data.AccessGrant{User: ref(data.KindGuest, "ada")}, &data.UserIdentity{Name: "x"})},
			{"new_user.kind not_a_field", create(data.AccessGrant{}, &data.UserIdentity{Kind: data.KindStaffMember, Name: "x"})},
			{"spaces[1] not_there_yet", create(data.AccessGrant{Spaces: data.Refs(data.KindRoom, "101", "999")}, nil)},
			{"user not_there_yet", create(data.AccessGrant{User: ref(data.KindGuest, "sam")}, nil)},
			{"custom_metadata.region format", create(data.AccessGrant{Kind: data.KindReservation, CustomMetadata: data.CustomMetadata{"region": "south"}}, nil)},
			{"clear[0] not_a_field", edit(data.AccessGrant{Key: "rn1", Clear: []string{"property_listing_keys"}})},
			{"custom_metadata.region format", edit(data.AccessGrant{Key: "rn1", CustomMetadata: data.CustomMetadata{"region": nil}})},
			{"name required", drop(s.RenameSpace(t.Context(), "101", "", portal.WriteOptions{}))},
			{"parent_site_key format", drop(s.MoveSpace(t.Context(), "town", "town", portal.WriteOptions{}))},
			{"parent_site_key not_there_yet", drop(s.MoveSpace(t.Context(), "101", "201", portal.WriteOptions{}))},
			{"parent_site_key not_a_field", drop(s.MoveSpace(t.Context(), "n1", "town", portal.WriteOptions{}))},
			{"email_address email_address", drop(s.AddStaffMember(t.Context(), data.UserIdentity{Name: "x", EmailAddress: "y"}, portal.WriteOptions{}))},
			{"kind not_a_field", drop(s.AddStaffMember(t.Context(), data.UserIdentity{Kind: data.KindGuest, Name: "x"}, portal.WriteOptions{}))},
			{"spaces not_a_field", drop(s.EditStaffMember(t.Context(), data.UserIdentity{Key: "kim", Spaces: data.Refs(data.KindRoom, "101")}, portal.WriteOptions{}))},
			{"starts_at not_a_field", drop(s.EditStaffMember(t.Context(), data.UserIdentity{Key: "kim", StartsAt: start}, portal.WriteOptions{}))},
			{"clear[0] not_a_field", drop(s.EditStaffMember(t.Context(), data.UserIdentity{Key: "kim", Clear: []string{"ends_at"}}, portal.WriteOptions{}))},
			{"ends_at not_a_field", drop(s.EditUserIdentity(t.Context(), data.UserIdentity{Key: "ada", EndsAt: start}, portal.WriteOptions{}))},
			{"new_user.ends_at not_a_field", create(data.AccessGrant{}, &data.UserIdentity{Name: "x", EndsAt: start})},
			{"ends_at time_order", drop(s.AddStaffMember(t.Context(), data.UserIdentity{Name: "x", StartsAt: start, EndsAt: start}, portal.WriteOptions{}))},
			{"ends_at time_order", drop(s.AssignStaffMember(t.Context(), data.UserIdentity{Key: "kim", StartsAt: start, EndsAt: start}, portal.WriteOptions{}))},
			{"name not_a_field", drop(s.AssignStaffMember(t.Context(), data.UserIdentity{Key: "kim", Name: "Kay"}, portal.WriteOptions{}))},
			{"clear[0] not_a_field", drop(s.AssignStaffMember(t.Context(), data.UserIdentity{Key: "kim", Clear: []string{"phone_number"}}, portal.WriteOptions{}))},
		} {
			require.Equal(t, []string{test.want}, faults(t, test.err))
		}
		after, err := f.ws.Export(t.Context(), "My Company")
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

func TestEditAccessGrant_AllFields_ThenCancel(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		g, err := s.EditAccessGrant(t.Context(), data.AccessGrant{
			Key: "b101", Name: "Longer", StartsAt: start, EndsAt: start.Add(48 * time.Hour),
			User: ref(data.KindTenant, "ada"), Spaces: data.Refs(data.KindSpace, "201", "102"),
		}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, "Longer", g.Name)
		require.Equal(t, ref(data.KindGuest, "ada"), g.User)
		require.ElementsMatch(t, data.Refs(data.KindRoom, "201", "102"), g.Spaces)
		g, err = s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "b101", Clear: []string{"name", "ends_at", "user"}}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Empty(t, g.Name)
		require.Zero(t, g.EndsAt)
		require.Zero(t, g.User)
		require.Equal(t, start, g.StartsAt, "other fields keep their values")
		require.Len(t, g.Spaces, 2)

		plan, err := one(s).PlanDelete(t.Context(), ref(data.KindAccessGrant, "b101"))
		require.NoError(t, err)
		report, err := s.CancelAccessGrant(t.Context(), "b101", portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, plan, report)
		require.Len(t, report.Deleted, 1)
		_, _, err = one(s).AccessGrant(t.Context(), "b101")
		require.ErrorIs(t, err, data.ErrResourceNotFound)
	})
}

func TestStaffMember_AddEditAssignRemove(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{})
		u, err := s.AddStaffMember(t.Context(), data.UserIdentity{Name: "Lou", EmailAddress: "lou@example.com", Spaces: data.Refs(data.KindSpace, "101"), EndsAt: start}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, start, u.EndsAt)
		require.Equal(t, data.KindStaffMember, u.Kind)
		require.Equal(t, data.Refs(data.KindRoom, "101"), u.Spaces)
		u, err = s.EditStaffMember(t.Context(), data.UserIdentity{Key: u.Key, Name: "Louis", Clear: []string{"email_address"}}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, "Louis", u.Name)
		require.Empty(t, u.EmailAddress)
		u, err = s.AssignStaffMember(t.Context(), data.UserIdentity{Key: u.Key, Spaces: data.Refs(data.KindSpace, "201", "town")}, portal.WriteOptions{})
		require.NoError(t, err)
		require.ElementsMatch(t, []data.Ref{ref(data.KindRoom, "201"), ref(data.KindSite, "town")}, u.Spaces)
		u, err = s.AssignStaffMember(t.Context(), data.UserIdentity{Key: u.Key, StartsAt: start, EndsAt: start.Add(time.Hour)}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Len(t, u.Spaces, 2, "they keep their values")
		u, err = s.AssignStaffMember(t.Context(), data.UserIdentity{Key: u.Key, Clear: []string{"starts_at"}}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, []time.Time{{}, start.Add(time.Hour)}, []time.Time{u.StartsAt, u.EndsAt})
		_, err = s.RemoveStaffMember(t.Context(), u.Key, portal.WriteOptions{})
		require.NoError(t, err)
		_, _, err = one(s).StaffMember(t.Context(), u.Key)
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, _, err = one(s).StaffMember(t.Context(), "ada")
		require.ErrorIs(t, err, data.ErrResourceNotFound, "a guest is not a staff member")
		_, _, err = one(s).UserIdentity(t.Context(), "sam")
		require.ErrorIs(t, err, data.ErrResourceNotFound, "a staff member is not a guest")
		_, err = s.RemoveStaffMember(t.Context(), "ada", portal.WriteOptions{})
		require.ErrorIs(t, err, data.ErrResourceNotFound)
		_, err = one(s).UserIdentities(t.Context(), data.Query{Kinds: []data.Kind{data.KindStaffMember}})
		require.ErrorIs(t, err, validation.ErrInvalid)
	})
}

func TestSpace_CreateRenameMoveDelete(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		room, err := s.CreateSpace(t.Context(), data.Space{Kind: data.KindRoom, Name: "Room 103", ParentSiteKey: "town"}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, "town", room.ParentSiteKey)
		listing, err := s.CreateSpace(t.Context(), data.Space{Kind: data.KindPropertyListing, Name: "New listing"}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, data.CustomMetadata{"region": "north"}, listing.CustomMetadata, "the portal sets the metadata that its filters require")
		plain, err := s.CreateSpace(t.Context(), data.Space{Name: "Lobby"}, portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, data.KindSpace, plain.Kind)
		room, err = s.RenameSpace(t.Context(), room.Key, "Suite 103", portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, "Suite 103", room.Name)
		room, err = s.MoveSpace(t.Context(), room.Key, "", portal.WriteOptions{})
		require.NoError(t, err)
		require.Empty(t, room.ParentSiteKey)
		room, err = s.MoveSpace(t.Context(), room.Key, "town", portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, "town", room.ParentSiteKey)

		plan, err := one(s).PlanDelete(t.Context(), ref(data.KindSpace, "town"))
		require.NoError(t, err)
		require.Equal(t, 3, plan.DeletedByKind()[data.KindRoom])
		require.Equal(t, 1, plan.DeletedByKind()[data.KindBooking])
		report, err := s.DeleteSpace(t.Context(), "town", portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, plan, report)
	})
}

// TestDeleteSpace_HiddenReferrer_IsRefused deletes a visible space with a hidden reservation, which would be deleted too.
func TestDeleteSpace_HiddenReferrer_IsRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := estate()
		d.AccessGrants = append(d.AccessGrants, data.Reservation("hidden", data.Ref{}, data.Refs(data.KindRoom, "102")...))
		_, err := f.ws.Push(t.Context(), *d)
		require.NoError(t, err)
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		for _, key := range []string{"102", "town"} {
			_, err = one(s).PlanDelete(t.Context(), ref(data.KindSpace, key))
			require.ErrorIs(t, err, portal.ErrRefused)
			_, err = s.DeleteSpace(t.Context(), key, portal.WriteOptions{})
			var refused *portal.RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, portal.RefusedError{Action: portal.ActionDeleteSpace, Reason: "hidden"}, *refused)
		}
		_, err = f.ws.AccessGrant(t.Context(), "hidden")
		require.NoError(t, err)
		_, err = s.DeleteSpace(t.Context(), "201", portal.WriteOptions{})
		require.NoError(t, err, "all affected resources are visible")

		// Resources that excluded features hide also prevent the delete.
		s = f.session(t, portal.Config{Features: portal.Features{Manage: portal.ManageFeature{Exclude: true}}})
		_, err = s.DeleteSpace(t.Context(), "101", portal.WriteOptions{})
		require.ErrorIs(t, err, portal.ErrRefused)
	})
}

// TestEditAccessGrant_Concurrent_LosesNoUpdate edits the spaces of an access grant in a portal while pushes edit its name. No
// edit may remove the hidden space or undo a push.
func TestEditAccessGrant_Concurrent_LosesNoUpdate(t *testing.T) {
	eachAll(t, func(t *testing.T, f *fixture) {
		s := f.session(t, portal.Config{Filters: []portal.Filter{{Field: "region", Value: "north"}}})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					_, err := s.EditAccessGrant(t.Context(), data.AccessGrant{Key: "rn2", Spaces: data.Refs(data.KindSpace, "n1", "n2")}, portal.WriteOptions{})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			d := data.CustomerData{CustomerKey: "My Company"}
			for n := range 10 {
				d.AccessGrants = []data.AccessGrant{{Kind: data.KindReservation, Key: "rn2", Name: string(rune('a' + n))}}
				if _, err := f.ws.Push(t.Context(), d); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		g, err := f.ws.AccessGrant(t.Context(), "rn2")
		require.NoError(t, err)
		require.ElementsMatch(t, data.Refs(data.KindPropertyListing, "n1", "n2", "s1"), g.Spaces)
		require.Equal(t, "j", g.Name)
	})
}

// TestCancelAccessGrant_WithAccessCode_SchedulesRemovalAndReportsNoDevices cancels a grant whose code is on a lock. The lock and
// its spaces may be hidden in the portal.
func TestCancelAccessGrant_WithAccessCode_SchedulesRemovalAndReportsNoDevices(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := hotel()
		_, err := f.ws.Push(t.Context(), *d)
		require.NoError(t, err)
		c, err := f.ws.Customer(t.Context(), d.CustomerKey)
		require.NoError(t, err)
		account := uuid.New()
		lock := devicedata.DeviceID(account, "lock")
		require.NoError(t, devicedata.Within(t.Context(), f.ws, devicedata.IDOf(c), func(ctx context.Context, tx data.CustomerTx) error {
			if err := devicedata.CreateAccount(ctx, tx, devicedata.Account{ID: account, Provider: "hub", ExternalID: "hub"}); err != nil {
				return err
			}
			if _, err := devicedata.PutDevices(ctx, tx, account, []devicedata.Device{{ExternalID: "lock"}}); err != nil {
				return err
			}
			if _, err := devicedata.SetMappings(ctx, tx, []devicedata.DeviceMappings{{DeviceID: lock, Mappings: []devicedata.Mapping{{SpaceKey: "101"}}}}); err != nil {
				return err
			}
			return devicedata.CreateCodes(ctx, tx, []devicedata.Code{{ID: uuid.New(), DeviceID: lock, Subject: devicedata.GrantSubject("r1")}})
		}))
		portalOf := f.create(t, portal.CreateRequest{CustomerKey: d.CustomerKey})
		s, err := f.portals.OpenSession(t.Context(), portal.Code(portalOf.URL.Reveal()), "sixteen bytes or more")
		require.NoError(t, err)
		host, err := f.ws.PlanDelete(t.Context(), data.Selection{Resources: data.Refs(data.KindReservation, "r1")})
		require.NoError(t, err)
		require.Len(t, host.CodeRemovals, 1)
		plan, err := one(s).PlanDelete(t.Context(), ref(data.KindReservation, "r1"))
		require.NoError(t, err)
		report, err := s.CancelAccessGrant(t.Context(), "r1", portal.WriteOptions{})
		require.NoError(t, err)
		require.Equal(t, plan, report)
		require.Empty(t, report.CodeRemovals)
		stats, err := f.ws.DB().Stats(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, stats.PendingRemovals)

		report, err = s.DeleteSpace(t.Context(), "101", portal.WriteOptions{})
		require.NoError(t, err)
		require.Len(t, report.Deleted, 1)
		require.Empty(t, report.Unmapped)
	})
}
