package portal

import (
	"context"
	"fmt"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/validation"
)

// AddStaffMember makes a staff member.
func (s *Session) AddStaffMember(ctx context.Context, u data.UserIdentity, options ...CreateOption) (data.UserIdentity, error) {
	return resultAs[data.UserIdentity](s.change(ctx, ActionAddStaff, conditionsOf(options), func(_ *View, d *draft) (err error) {
		made := u
		if u.Key != "" {
			d.notes.Fault("key", validation.RuleNotAField, "must be empty: the portal assigns the key")
		}
		if u.Kind != 0 && u.Kind != data.KindStaffMember {
			d.notes.Fault("kind", validation.RuleNotAField, "must be a staff member")
		}
		made.Kind, made.Key, made.Clear = data.KindStaffMember, d.newKey(), nil
		if made.Spaces, err = d.references(ctx, u.Spaces); err != nil {
			return err
		}
		d.about(made)
		return d.mustSee(ctx, made)
	}))
}

// EditStaffMember changes a staff member that the portal shows, by its Key. Fields that
// are zero stay; Clear may name "email_address" and "phone_number". A field that is given
// the value that it has is not validated again. Its spaces are for AssignStaffMember.
func (s *Session) EditStaffMember(ctx context.Context, edit data.UserIdentity, options ...EditOption) (data.UserIdentity, error) {
	return s.editUser(ctx, ActionEditStaff, data.KindStaffMember, edit, conditionsOf(options))
}

// EditUserIdentity changes a user identity that the portal shows and that is no staff
// member, as EditStaffMember does.
func (s *Session) EditUserIdentity(ctx context.Context, edit data.UserIdentity, options ...EditOption) (data.UserIdentity, error) {
	return s.editUser(ctx, ActionEditUserIdentity, data.KindUserIdentity, edit, conditionsOf(options))
}

func (s *Session) editUser(ctx context.Context, action Action, as data.Kind, edit data.UserIdentity, on conditions) (data.UserIdentity, error) {
	return resultAs[data.UserIdentity](s.change(ctx, action, on, func(_ *View, d *draft) error {
		r, err := d.old(ctx, data.Ref{Kind: as, Key: edit.Key}, on)
		if err != nil {
			return err
		}
		old := r.(data.UserIdentity)
		if edit.Spaces != nil {
			d.notes.Fault("spaces", validation.RuleNotAField, "cannot be edited here: AssignStaffMember assigns them")
		}
		u := edit
		u.Kind, u.Spaces, u.Clear = old.Kind, nil, nil
		u.Name = unlessSame(u.Name, old.Name)
		u.EmailAddress, u.PhoneNumber = unlessSame(u.EmailAddress, old.EmailAddress), unlessSame(u.PhoneNumber, old.PhoneNumber)
		for i, name := range edit.Clear {
			if name != "email_address" && name != "phone_number" {
				d.notes.Fault(fmt.Sprintf("clear[%d]", i), validation.RuleNotAField, "cannot be cleared")
				continue
			}
			u.Clear = append(u.Clear, name)
		}
		d.about(u)
		return nil
	}))
}

// AssignStaffMember makes some spaces those that a staff member serves, of those that
// the portal shows.
func (s *Session) AssignStaffMember(ctx context.Context, key string, spaces []data.Ref, options ...EditOption) (data.UserIdentity, error) {
	on := conditionsOf(options)
	return resultAs[data.UserIdentity](s.change(ctx, ActionAssignStaff, on, func(_ *View, d *draft) error {
		r, err := d.old(ctx, data.Ref{Kind: data.KindStaffMember, Key: key}, on)
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
	}))
}

// RemoveStaffMember deletes a staff member that the portal shows, and says what went.
func (s *Session) RemoveStaffMember(ctx context.Context, key string, options ...DeleteOption) (data.DeleteReport, error) {
	return s.remove(ctx, ActionRemoveStaff, data.Ref{Kind: data.KindStaffMember, Key: key}, conditionsOf(options))
}
