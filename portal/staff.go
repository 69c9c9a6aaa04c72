package portal

import (
	"context"
	"fmt"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
)

// AddStaffMember makes a staff member.
func (s *Session) AddStaffMember(ctx context.Context, u data.UserIdentity) (data.UserIdentity, error) {
	key, err := s.change(ctx, ActionAddStaff, func(_ *view, d *draft) (err error) {
		var notes form.Notes
		if u.Key != "" {
			notes.Fault("key", data.RuleNotAField, "is the portal's to give")
		}
		if u.Kind != 0 && u.Kind != data.KindStaffMember {
			notes.Fault("kind", data.RuleNotAField, "must be a staff member")
		}
		if err := invalid(notes); err != nil {
			return err
		}
		made := u
		made.Kind, made.Clear = data.KindStaffMember, nil
		if made.Key, err = s.newKey(); err != nil {
			return err
		}
		if made.Spaces, err = d.references(ctx, "spaces", u.Spaces); err != nil {
			return err
		}
		d.about(made)
		return d.mustSee(ctx, made)
	})
	if err != nil {
		return data.UserIdentity{}, err
	}
	made, _, err := s.StaffMember(ctx, key)
	return made, err
}

// EditStaffMember changes a staff member that the portal shows, by its Key. Fields that
// are zero stay; Clear may name "email_address" and "phone_number". Its spaces are for
// AssignStaffMember.
func (s *Session) EditStaffMember(ctx context.Context, edit data.UserIdentity) (data.UserIdentity, error) {
	_, err := s.change(ctx, ActionEditStaff, func(_ *view, d *draft) error {
		if _, err := d.seen(ctx, data.Ref{Kind: data.KindStaffMember, Key: edit.Key}); err != nil {
			return err
		}
		var notes form.Notes
		if edit.Spaces != nil {
			notes.Fault("spaces", data.RuleNotAField, "are assigned")
		}
		for i, name := range edit.Clear {
			if name != "email_address" && name != "phone_number" {
				notes.Fault(fmt.Sprintf("clear[%d]", i), data.RuleNotAField, "cannot be cleared")
			}
		}
		u := edit
		u.Kind = data.KindStaffMember
		d.about(u)
		return invalid(notes)
	})
	if err != nil {
		return data.UserIdentity{}, err
	}
	u, _, err := s.StaffMember(ctx, edit.Key)
	return u, err
}

// AssignStaffMember makes some spaces those that a staff member serves, of those that
// the portal shows.
func (s *Session) AssignStaffMember(ctx context.Context, key string, spaces []data.Ref) (data.UserIdentity, error) {
	_, err := s.change(ctx, ActionAssignStaff, func(_ *view, d *draft) error {
		r, err := d.seen(ctx, data.Ref{Kind: data.KindStaffMember, Key: key})
		if err != nil {
			return err
		}
		old := r.(data.UserIdentity)
		u := data.UserIdentity{Kind: data.KindStaffMember, Key: key, Clear: aliases(old.Spaces)}
		if u.Spaces, err = d.replace(ctx, old.Spaces, spaces); err != nil {
			return err
		}
		d.about(u)
		old.Spaces = u.Spaces
		return d.mustSee(ctx, old)
	})
	if err != nil {
		return data.UserIdentity{}, err
	}
	u, _, err := s.StaffMember(ctx, key)
	return u, err
}

// RemoveStaffMember deletes a staff member that the portal shows, and says what went.
func (s *Session) RemoveStaffMember(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionRemoveStaff, data.Ref{Kind: data.KindStaffMember, Key: key}, false)
}

// PlanRemoveStaffMember says what RemoveStaffMember would do.
func (s *Session) PlanRemoveStaffMember(ctx context.Context, key string) (data.DeleteReport, error) {
	return s.remove(ctx, ActionRemoveStaff, data.Ref{Kind: data.KindStaffMember, Key: key}, true)
}
