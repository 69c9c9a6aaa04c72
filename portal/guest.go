package portal

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/validation"
)

// extensionLimit is the time after the end of a stay for which the code of its guest link is signed, so that the link works for an
// extended stay. The portal closes with the stay.
const extensionLimit = 366 * 24 * time.Hour

// guestRecord is the part of a record that only a guest link has.
type guestRecord struct {
	EndsAt time.Time `json:"ends"` // the end of the window when the link was created
}

// encodeKind returns the part of a record that only a connect webview or a guest link has.
func (r *record) encodeKind() []byte {
	if r.guest == nil {
		return r.webview.encode()
	}
	b, err := json.Marshal(map[string]*guestRecord{"guest": r.guest})
	if err != nil {
		panic(fmt.Sprintf("portal: encoding a guest link: %v", err)) // times of portals are before the year 10000
	}
	return b
}

func (r *record) decodeKind(b []byte) (err error) {
	if len(b) == 0 {
		return nil
	}
	var kind struct {
		Guest *guestRecord `json:"guest"`
	}
	if err := json.Unmarshal(b, &kind); err != nil || kind.Guest != nil {
		r.guest = kind.Guest
		return err
	}
	r.webview, err = decodeWebview(b)
	return err
}

// CreateGuestLink creates a portal for the guest of a reservation, or of another access grant. The guest can read the stay with
// [View.Stay], which contains the code while it is valid, and unlock the doors of the stay with [Session.UnlockDoor]. The portal shows
// and allows nothing else.
//
// The portal follows the access grant: it closes at the end of the stay with the grace of [access.Rules], also if the end changes
// later, and it is revoked when the access grant is deleted. The link opens from now on, and at most until a year after the end that the
// stay has now. Before the stay, the portal shows no code. [Service.UpdateConfig] changes its configuration except the DeepLink: a portal
// that is read-only neither unlocks doors nor shows the code, and filters hide the stay and its property listings if they do not match.
//
// CreateGuestLink returns [data.ErrCustomerNotFound], and a [validation.Error] with the path "reservation_key" if the customer has no
// such access grant, or if it has no end or has ended. It returns an error that matches [ErrRefused] if the service has no devices.
func (s *Service) CreateGuestLink(ctx context.Context, ws *data.Workspace, customerKey, reservationKey string) (CustomerPortal, error) {
	if err := s.checkWorkspace(ws); err != nil {
		return CustomerPortal{}, err
	}
	if s.access == nil {
		return CustomerPortal{}, &RefusedError{ActionReadStay, refusedFeature}
	}
	var notes jsonobject.Notes
	if customerKey == "" {
		notes.Fault("customer_key", validation.RuleRequired, "is required")
	}
	if reservationKey == "" {
		notes.Fault(fieldReservation, validation.RuleRequired, "is required")
	} else if fault := textrules.CheckKey(reservationKey); fault != "" {
		notes.Fault(fieldReservation, validation.RuleKeyFormat, "%s", fault)
	}
	if err := invalid(notes); err != nil {
		return CustomerPortal{}, err
	}
	ids, err := s.newIDs()
	if err != nil {
		return CustomerPortal{}, err
	}
	config := guestConfig(Config{}, reservationKey)
	var out CustomerPortal
	err = ws.Within(ctx, customerKey, func(ctx context.Context, tx data.CustomerTx) (err error) {
		out, err = s.insertGuestLink(ctx, ws, tx, config, data.Actor{}, ids)
		return err
	}, append(ids.rowKeys(), config.rowKeys(ws.ID())...)...)
	return out, err
}

const fieldReservation = "reservation_key"

// checkStay returns a validation.Error if a guest link cannot be created for a stay.
func (s *Service) checkStay(stay stay, key string) error {
	var notes jsonobject.Notes
	_, expiryErr := linkExpiry(stay.closes.Add(extensionLimit))
	switch {
	case stay.grant == nil:
		ref := data.Ref{Kind: data.KindReservation, Key: key}
		notes.Add(validation.Finding{
			Path: fieldReservation, Rule: validation.RuleNotThereYet, Message: "does not exist for this customer, or was cancelled", Cause: notFound(ref),
		})
	case stay.grant.EndsAt.IsZero():
		notes.Fault(fieldReservation, validation.RuleRequired, "is a reservation without an end: set its end first, because the link closes with the stay")
	case !s.now().Before(stay.closes):
		notes.Fault(fieldReservation, validation.RuleRange, "is a reservation that has ended")
	case expiryErr != nil:
		notes.Fault(fieldReservation, validation.RuleRange, "is a reservation that ends too late for a link")
	}
	return invalid(notes)
}

// stay is the access grant of a guest link with its window.
type stay struct {
	grant         *data.AccessGrant // nil if it does not exist
	opens, closes time.Time         // zero if there is no start or no end
}

// readStay reads the access grant with a key.
func (s *Service) readStay(ctx context.Context, at *data.Snapshot, owner data.Customer, key string) (stay, error) {
	stays, err := s.readStays(ctx, at, owner, key)
	if err != nil {
		return stay{}, err
	}
	return stays[0], nil
}

// readStays reads access grants of a customer by their keys.
func (s *Service) readStays(ctx context.Context, at *data.Snapshot, owner data.Customer, keys ...string) ([]stay, error) {
	found, err := at.Resources(ctx, owner.Key, data.Refs(data.KindAccessGrant, keys...))
	if err != nil {
		return nil, err
	}
	window := func(g data.AccessGrant) (starts, ends time.Time) { return g.StartsAt, g.EndsAt }
	if s.access != nil {
		_, rules, err := s.access.Workspace(at.WorkspaceID()).Customer(owner.Key).At(at).Rules(ctx)
		if err != nil {
			return nil, err
		}
		window = rules.Window
	}
	out := make([]stay, len(found))
	for i, r := range found {
		if g, ok := r.(data.AccessGrant); ok {
			out[i].grant = &g
			out[i].opens, out[i].closes = window(g)
		}
	}
	return out, nil
}

// followStays sets the times at which the guest links among portals close. An element may be nil.
func (s *Service) followStays(ctx context.Context, at *data.Snapshot, owner data.Customer, portals ...*portalState) error {
	var guests []*portalState
	var keys []string
	for _, p := range portals {
		if p == nil || p.guest == nil {
			continue
		}
		c, err := p.config()
		if err != nil {
			return err
		}
		guests, keys = append(guests, p), append(keys, c.DeepLink.Key)
	}
	if len(guests) == 0 {
		return nil
	}
	stays, err := s.readStays(ctx, at, owner, keys...)
	if err != nil {
		return err
	}
	for i, p := range guests {
		p.stay = &stays[i]
		if closes := stays[i].closes; !closes.IsZero() && closes.Before(p.closesAt) {
			p.closesAt = closes
		}
	}
	return nil
}
