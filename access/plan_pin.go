package access

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
	"github.com/customerportal-go/customerportal/keys"
)

// maxTaken bounds the codes of a lock with which the PIN of an access grant is compared when it is chosen. A PIN that another code of
// the lock has is replaced on that lock when it is written.
const maxTaken = 200

// storedPIN is the stored PIN of an access grant or a staff member.
type storedPIN struct {
	pin device.Secret // empty if none was chosen

	// A PIN that was reissued or given takes precedence over the preferred code that the access grant had then. token identifies the
	// reissue; it is empty for a given PIN.
	instead device.Secret
	token   string
}

// encode returns the plaintext of the sealed value: the PIN, and the other values in lines of their own if there are any.
func (p storedPIN) encode() []byte {
	if p.token == "" && p.instead.IsZero() {
		return []byte(p.pin.Reveal())
	}
	return []byte(p.pin.Reveal() + "\n" + p.instead.Reveal() + "\n" + p.token)
}

func decodePIN(plain []byte) storedPIN {
	lines := append(strings.SplitN(string(plain), "\n", 3), "", "")
	return storedPIN{pin: device.NewSecret(lines[0]), instead: device.NewSecret(lines[1]), token: lines[2]}
}

// serves reports whether the PIN need not be chosen again for a subject with this preferred code.
func (p storedPIN) serves(preferred string) bool {
	return !p.pin.IsZero() && (!validPIN(preferred) || preferred == p.pin.Reveal() || preferred == p.instead.Reveal())
}

// pin returns the PIN of a subject, which it chooses if none is stored, and reports whether it differs from the stored one. A preferred
// code takes precedence, so the host can change the PIN. unread is the error of reading the stored one.
func (p *codePlan) pin(ctx context.Context, sp subjectPlan, locks []uuid.UUID, stored storedPIN, unread error) (pin device.Secret, changed bool, err error) {
	if unread != nil && !(p.reissue != nil && isDamage(unread)) { // a PIN that cannot be read can be replaced
		return pin, false, unread
	}
	next := storedPIN{}
	switch {
	case p.reissue != nil:
		p.reissue.reached = true
		given := p.reissue.pin
		if stored.token == p.reissue.token && given.IsZero() || !given.IsZero() && stored.pin == given && stored.serves(sp.preferred) {
			return stored.pin, false, nil
		}
		next.token = p.reissue.token
		if validPIN(sp.preferred) {
			next.instead = device.NewSecret(sp.preferred)
		}
		if next.pin = given; given.IsZero() {
			next.pin, err = p.randomPIN(ctx, locks, stored.pin, next.instead)
		}
	case stored.serves(sp.preferred):
		return stored.pin, false, nil
	default:
		next.pin, err = p.choosePIN(ctx, sp, locks)
	}
	if err != nil {
		return pin, false, err
	}
	sealed, err := p.s.keys.Seal(keys.PurposePIN, devicedata.SubjectPINKey(p.customer, sp.subject), next.encode(), p.s.db.Rand())
	if err != nil {
		return pin, false, err
	}
	return next.pin, !stored.pin.IsZero() || p.reissue != nil, devicedata.SetSubjectPIN(ctx, p.tx, sp.subject, sealed)
}

// subjectPIN returns the stored PIN of an access grant or a staff member.
func (s *Service) subjectPIN(ctx context.Context, snapshot *data.Snapshot, customer devicedata.CustomerID, subject devicedata.Subject) (storedPIN, error) {
	sealed, err := devicedata.SubjectPIN(ctx, snapshot, customer, subject)
	if err != nil || sealed == nil {
		return storedPIN{}, err
	}
	plain, err := s.keys.Open(keys.PurposePIN, devicedata.SubjectPINKey(customer, subject), sealed)
	return decodePIN(plain), err
}

// validPIN reports whether a text can be the PIN of an access grant.
func validPIN(text string) bool {
	return len(text) >= 4 && len(text) <= 9 && !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

// choosePIN chooses the PIN of a subject: the preferred code, the end of the guest's phone number, or a random one.
func (p *codePlan) choosePIN(ctx context.Context, sp subjectPlan, locks []uuid.UUID) (device.Secret, error) {
	if validPIN(sp.preferred) {
		return device.NewSecret(sp.preferred), nil
	}
	if p.rules.phoneLast4 && sp.user.Key != "" {
		found, err := p.tx.Resources(ctx, p.tx.Customer.Key, []data.Ref{sp.user})
		if err != nil {
			return device.Secret{}, err
		}
		if guest, ok := found[0].(data.UserIdentity); ok {
			digits := strings.Map(func(r rune) rune {
				if r >= '0' && r <= '9' {
					return r
				}
				return -1
			}, guest.PhoneNumber)
			if len(digits) >= 4 {
				return device.NewSecret(digits[len(digits)-4:]), nil
			}
		}
	}
	return p.randomPIN(ctx, locks)
}

// randomPIN returns a random PIN that the locks accept and that none of their codes has. It differs from the given ones.
func (p *codePlan) randomPIN(ctx context.Context, locks []uuid.UUID, except ...device.Secret) (device.Secret, error) {
	var limits []device.CodeLimits
	for _, id := range locks {
		if of := p.locks[id].limits; !slices.Contains(of.Constraints, device.CannotSpecifyPIN) {
			limits = append(limits, of)
		}
		if err := p.readTaken(ctx, p.locks[id]); err != nil {
			return device.Secret{}, err
		}
	}
	taken := func(pin device.Secret) bool {
		return slices.Contains(except, pin) || slices.ContainsFunc(locks, func(id uuid.UUID) bool { return p.locks[id].taken[pin] })
	}
	pin, err := lockplan.GeneratePIN(p.s.db.Rand(), limits, taken)
	for i := 0; errors.Is(err, lockplan.ErrNoPIN) && i < len(limits); i++ { // no PIN suits all locks: the others get PINs of their own
		pin, err = lockplan.GeneratePIN(p.s.db.Rand(), limits[i:i+1], taken)
	}
	if errors.Is(err, lockplan.ErrNoPIN) {
		pin, err = lockplan.GeneratePIN(p.s.db.Rand(), []device.CodeLimits{{Lengths: []int{4}}}, taken)
	}
	return pin, err
}

// readTaken reads the PINs of codes of a lock.
func (p *codePlan) readTaken(ctx context.Context, lock *plannedLock) error {
	if lock.taken != nil {
		return nil
	}
	lock.taken = map[device.Secret]bool{}
	for row, err := range devicedata.CodesOfDevice(ctx, p.tx.Snapshot, p.customer, lock.row.ID) {
		if err != nil {
			return err
		}
		pin, err := p.s.openPIN(row.AccountID, row.ID, row.SealedPIN)
		if err != nil {
			continue // it is compared again when the lock is programmed
		}
		if lock.taken[pin] = true; len(lock.taken) == maxTaken {
			return nil
		}
	}
	return nil
}
