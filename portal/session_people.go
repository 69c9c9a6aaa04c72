package portal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

// AddStaffMember creates a staff member and returns it. Its Key must be empty: the portal assigns one. Its Kind may be zero.
// AddStaffMember returns a [validation.Error] for an invalid staff member.
func (s *Session) AddStaffMember(ctx context.Context, u data.UserIdentity, o WriteOptions) (data.UserIdentity, error) {
	return resultAs[data.UserIdentity](s.change(ctx, ActionAddStaff, creates, o, func(_ *View, d *draft) (err error) {
		created := u
		if u.Key != "" {
			d.notes.Fault("key", validation.RuleNotAField, "must be empty: the portal assigns the key")
		}
		if u.Kind != 0 && u.Kind != data.KindStaffMember {
			d.notes.Fault("kind", validation.RuleNotAField, "must be a staff member")
		}
		created.Kind, created.Key, created.Clear = data.KindStaffMember, d.newKey(), nil
		if created.Spaces, err = d.resolveSpaces(ctx, u.Spaces); err != nil {
			return err
		}
		d.addSubject(created)
		return d.requireVisible(ctx, created)
	}))
}

// EditStaffMember changes the staff member with the key edit.Key, and returns it. Fields of edit that are zero keep their
// values. Clear may contain "email_address" and "phone_number". Spaces must be nil, and StartsAt and EndsAt must be zero:
// [Session.AssignStaffMember] changes them. A value that does not change is not validated again. EditStaffMember returns a
// [validation.Error] for an invalid edit.
func (s *Session) EditStaffMember(ctx context.Context, edit data.UserIdentity, o WriteOptions) (data.UserIdentity, error) {
	return s.editUser(ctx, ActionEditStaff, data.KindStaffMember, edit, o)
}

// EditUserIdentity changes the user identity with the key edit.Key, and returns it. It returns [data.ErrResourceNotFound] for a
// staff member. It is otherwise like [Session.EditStaffMember].
func (s *Session) EditUserIdentity(ctx context.Context, edit data.UserIdentity, o WriteOptions) (data.UserIdentity, error) {
	return s.editUser(ctx, ActionEditUserIdentity, data.KindUserIdentity, edit, o)
}

// editUser edits a user identity. kind is KindStaffMember for a staff member, and KindUserIdentity for all others.
func (s *Session) editUser(ctx context.Context, action Action, kind data.Kind, edit data.UserIdentity, o WriteOptions) (data.UserIdentity, error) {
	return resultAs[data.UserIdentity](s.change(ctx, action, edits, o, func(_ *View, d *draft) error {
		r, err := d.existing(ctx, data.Ref{Kind: kind, Key: edit.Key}, o)
		if err != nil {
			return err
		}
		old := r.(data.UserIdentity)
		if edit.Spaces != nil {
			d.notes.Fault("spaces", validation.RuleNotAField, "cannot be edited here: AssignStaffMember assigns them")
		}
		for _, field := range []struct {
			name string
			set  bool
		}{{"starts_at", !edit.StartsAt.IsZero()}, {"ends_at", !edit.EndsAt.IsZero()}} {
			if field.set {
				d.notes.Fault(field.name, validation.RuleNotAField, "cannot be edited here: AssignStaffMember changes it")
			}
		}
		u := edit // which must not change, because this function may run again
		u.StartsAt, u.EndsAt = time.Time{}, time.Time{}
		u.Kind, u.Spaces, u.Clear = old.Kind, nil, nil
		u.Name = ifChanged(u.Name, old.Name)
		u.EmailAddress, u.PhoneNumber = ifChanged(u.EmailAddress, old.EmailAddress), ifChanged(u.PhoneNumber, old.PhoneNumber)
		u.Clear = d.clearable(edit.Clear, "email_address", "phone_number")
		d.addSubject(u)
		return nil
	}))
}

// AssignStaffMember changes the spaces that the staff member with the key edit.Key serves, and the time in which this is so. It
// returns the staff member. If Spaces is not nil, it replaces the references to spaces that the portal shows. References to
// hidden spaces remain. At most 1000 spaces are allowed. StartsAt and EndsAt keep their values if they are zero, and Clear may
// contain "starts_at" and "ends_at". The other fields must be zero: [Session.EditStaffMember] changes them.
//
// AssignStaffMember returns a [validation.Error] for an invalid edit, such as one with a space that the portal does not show.
func (s *Session) AssignStaffMember(ctx context.Context, edit data.UserIdentity, o WriteOptions) (data.UserIdentity, error) {
	return resultAs[data.UserIdentity](s.change(ctx, ActionAssignStaff, edits, o, func(_ *View, d *draft) error {
		r, err := d.existing(ctx, data.Ref{Kind: data.KindStaffMember, Key: edit.Key}, o)
		if err != nil {
			return err
		}
		old := r.(data.UserIdentity)
		if edit.Kind != 0 && edit.Kind != data.KindStaffMember {
			d.notes.Fault("kind", validation.RuleNotAField, "must be a staff member")
		}
		for _, field := range [][2]string{{"name", edit.Name}, {"email_address", edit.EmailAddress}, {"phone_number", edit.PhoneNumber}} {
			if field[1] != "" {
				d.notes.Fault(field[0], validation.RuleNotAField, "cannot be edited here: EditStaffMember changes it")
			}
		}
		u := data.UserIdentity{
			Kind: data.KindStaffMember, Key: old.Key, StartsAt: ifChangedTime(edit.StartsAt, old.StartsAt), EndsAt: ifChangedTime(edit.EndsAt, old.EndsAt),
		}
		u.Clear = d.clearable(edit.Clear, "starts_at", "ends_at")
		if edit.Spaces != nil {
			if u.Spaces, err = d.replaceSpaces(ctx, old.Spaces, edit.Spaces); err != nil {
				return err
			}
			u.Clear = append(u.Clear, referenceFields(old.Spaces)...)
			old.Spaces = u.Spaces
		}
		d.addSubject(u)
		return d.requireVisible(ctx, old)
	}))
}

// clearable returns those of the names that are among the allowed ones, and adds a fault for each of the others.
func (d *draft) clearable(names []string, allowed ...string) (out []string) {
	for i, name := range names {
		if !slices.Contains(allowed, name) {
			d.notes.Fault(fmt.Sprintf("clear[%d]", i), validation.RuleNotAField, "cannot be cleared")
			continue
		}
		out = append(out, name)
	}
	return out
}

// RemoveStaffMember deletes the staff member with a key and returns the report of the delete. See
// [Session.UndoRemoveStaffMember].
func (s *Session) RemoveStaffMember(ctx context.Context, key string, o WriteOptions) (data.DeleteReport, error) {
	return s.remove(ctx, ActionRemoveStaff, data.Ref{Kind: data.KindStaffMember, Key: key}, o)
}
