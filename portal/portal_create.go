package portal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/portal/internal/jsonobject"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// CreateRequest describes a portal to create.
type CreateRequest struct {
	// CustomerKey is the key of an existing customer. It may be empty if CustomerData is not nil.
	CustomerKey string

	// CustomerData, if it is not nil, is pushed in the same transaction. The push creates the customer if it does not exist.
	CustomerData *data.CustomerData

	// Config is the configuration of the portal. The resources that it names must belong to the customer or be in CustomerData. The
	// device of a deep link must belong to the customer, and the service must have Options.Access.
	// Its customization profile must exist.
	Config Config

	// TTL is the lifetime of the portal, from 1 second to Options.MaxTTL. Zero means Options.TTL.
	TTL time.Duration

	// MaxUses is the number of uses of the link, from 1 to 1,000,000, after which it begins new sessions only for holders that
	// have used it: see [Service.OpenSession]. Zero means no limit.
	MaxUses int

	webview *webviewRecord // of a connect webview
	guest   *guestRecord   // of a guest link
	actor   data.Actor     // who creates it; zero means the host
}

const maxMaxUses = 1_000_000

// Create creates a portal of a customer and returns it with its URL.
//
// Create returns [data.ErrCustomerNotFound] if there is no such customer, and a [validation.Error] with all faults of the
// request, its push and its configuration. If it returns an error, it has created and pushed nothing.
func (s *Service) Create(ctx context.Context, ws *data.Workspace, req CreateRequest) (CustomerPortal, error) {
	if err := s.checkWorkspace(ws); err != nil {
		return CustomerPortal{}, err
	}
	notes := s.checkCreate(req)
	config, err := encodeConfig(req.Config, &notes)
	if err != nil {
		return CustomerPortal{}, err
	}
	if len(notes.Faults) > 0 {
		return CustomerPortal{}, s.joinFaults(ctx, ws, req, notes)
	}
	ids, err := s.newIDs()
	if err != nil {
		return CustomerPortal{}, err
	}
	var created CustomerPortal
	var insertErr error
	insert := func(ctx context.Context, tx data.CustomerTx) error {
		created, insertErr = s.insert(ctx, ws, tx, req, config, ids)
		return insertErr
	}
	var report data.PushReport
	if req.CustomerData == nil {
		err = ws.Within(ctx, req.CustomerKey, insert, append(ids.rowKeys(), req.Config.rowKeys(ws.ID())...)...)
	} else {
		report, err = ws.PushWith(ctx, *req.CustomerData, data.PushOptions{Within: insert, Reads: append(ids.rowKeys(), req.Config.rowKeys(ws.ID())...)})
		if insertErr == nil || !errors.Is(err, insertErr) { // the push failed
			err = prefixCustomerData(notes, err)
		}
	}
	if err != nil {
		return CustomerPortal{}, err
	}
	created.Push = report
	created.Warnings = notes.Listed()
	return created, nil
}

// checkWorkspace returns an error if a workspace is nil or of another DB.
func (s *Service) checkWorkspace(ws *data.Workspace) error {
	switch {
	case ws == nil:
		return fmt.Errorf("%w: a workspace is required", validation.ErrInvalid)
	case ws.DB() != s.db:
		return fmt.Errorf("%w: the workspace and the service use different DBs: use one data.Open for both", validation.ErrInvalid)
	}
	return nil
}

// checkCreate returns the faults and warnings of a request, except those of its push.
func (s *Service) checkCreate(req CreateRequest) jsonobject.Notes {
	notes := req.Config.check()
	switch d := req.CustomerData; {
	case d == nil && req.CustomerKey == "" && !notes.Has("customer_data") && !notes.Has(""): // customer_data is absent, and not malformed
		notes.Fault("customer_key", validation.RuleRequired, "is required unless customer_data is given")
	case d != nil && req.CustomerKey != "" && req.CustomerKey != d.CustomerKey:
		notes.Fault("customer_key", validation.RuleFormat, "%q differs from the key in customer_data, %q", req.CustomerKey, d.CustomerKey)
	}
	if req.TTL != 0 && req.TTL < minTTL || req.TTL > s.maxTTL {
		notes.Fault("ttl", validation.RuleRange, "must be at least %v and at most %v", minTTL, s.maxTTL)
	}
	if req.MaxUses < 0 || req.MaxUses > maxMaxUses {
		notes.Fault("max_uses", validation.RuleRange, "must be from 0 to %d", maxMaxUses)
	}
	return notes
}

// joinFaults returns the error of a request that has faults. The error also lists the faults of the request's push, which a dry
// run finds.
func (s *Service) joinFaults(ctx context.Context, ws *data.Workspace, req CreateRequest, notes jsonobject.Notes) error {
	err := invalid(notes)
	if req.CustomerData == nil {
		return err
	}
	if _, pushErr := ws.PushWith(ctx, *req.CustomerData, data.PushOptions{DryRun: true}); errors.Is(pushErr, validation.ErrInvalid) {
		return prefixCustomerData(notes, pushErr)
	} else if pushErr != nil {
		return pushErr
	}
	return err
}

// prefixCustomerData returns the error of a request whose push returned err. If err is a validation.Error, it prefixes the paths
// of its findings with "customer_data" and adds those findings to the notes of the request.
func prefixCustomerData(notes jsonobject.Notes, err error) error {
	var push *validation.Error
	if !errors.As(err, &push) {
		return err
	}
	omitted := reportlimit.Omitted{Faults: push.OmittedFaults, Warnings: push.OmittedWarnings}
	warnings := push.Warnings
	if omitted.Any() { // the last warning says how many were omitted, and notes.Listed adds it again
		warnings = warnings[:max(len(warnings)-1, 0)]
	}
	notes.Join(jsonobject.Notes{Faults: jsonobject.PrefixPaths("customer_data", push.Faults), Warnings: jsonobject.PrefixPaths("customer_data", warnings), Omitted: omitted})
	return invalid(notes)
}

// portalIDs are the ids and the creation time of a new portal. They are chosen before the transaction that writes the portal,
// since the caller of a transaction declares the rows that it reads.
type portalIDs struct {
	portal uuid.UUID
	link   layout.LinkID
	at     time.Time
}

// newIDs returns ids for a new portal.
func (s *Service) newIDs() (ids portalIDs, err error) {
	ids.at = s.time()
	if ids.portal, err = s.newTimedID(ids.at); err != nil {
		return ids, err
	}
	if _, err := io.ReadFull(s.rand, ids.link[:]); err != nil {
		return ids, fmt.Errorf("portal: generating a link id: %w", err)
	}
	return ids, nil
}

// newTimedID returns a UUID of version 7, which sorts by time, so that List can read the newest portals of a customer first.
func (s *Service) newTimedID(at time.Time) (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(s.rand)
	if err != nil {
		return id, fmt.Errorf("portal: generating an id: %w", err)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	return id, nil
}

// rowKeys returns the keys of the rows that exist if another portal has one of the ids.
func (ids portalIDs) rowKeys() [][]byte {
	return [][]byte{layout.LinkIndex(ids.link), layout.IDIndex(ids.portal)}
}

// insert writes the rows of a new portal and returns the portal with its URL. config is the encoded configuration.
func (s *Service) insert(ctx context.Context, ws *data.Workspace, tx data.CustomerTx, req CreateRequest, config string, ids portalIDs) (CustomerPortal, error) {
	if err := s.checkReferences(ctx, tx.Snapshot, tx.Customer, req.Config, req.CustomerData); err != nil {
		return CustomerPortal{}, err
	}
	ttl := req.TTL
	if ttl == 0 {
		ttl = s.ttl
	}
	r := &record{
		id: ids.portal, link: ids.link, workspace: ws.ID(), customer: portaldata.CustomerID(tx.Customer),
		createdAt: ids.at, maxUses: uint64(req.MaxUses), webview: req.webview, guest: req.guest, stored: config,
	}
	r.expiresAt = r.createdAt.Add(ttl).Truncate(time.Microsecond)
	expires, err := linkExpiry(r.expiresAt)
	if err != nil {
		return CustomerPortal{}, err
	}
	taken, err := tx.Tx.Get(ctx, ids.rowKeys()...)
	if err != nil {
		return CustomerPortal{}, err
	}
	if taken[0] != nil || taken[1] != nil {
		return CustomerPortal{}, fmt.Errorf("portal: data.Options.Rand returned an id that is taken")
	}
	rows := creationRows(r, req.Config)
	if !req.Config.isDeepLink() && r.webview == nil {
		rows = append(rows, storage.Entry{Key: layout.NewestPortal(r.customer), Value: r.id[:]})
	}
	for _, row := range rows {
		if err := tx.Tx.Put(row.Key, row.Value); err != nil {
			return CustomerPortal{}, err
		}
	}
	if err := r.addChange(ctx, tx, req.actor, data.Created); err != nil {
		return CustomerPortal{}, err
	}
	p := r.describe(tx.Customer, req.Config)
	p.State = StateLive
	p.URL = s.url(r, expires)
	return p, nil
}

// addChange adds a change of a portal to the change feed, which does not contain connect webviews.
func (r *record) addChange(ctx context.Context, tx data.CustomerTx, actor data.Actor, change data.Change) error {
	if r.webview != nil {
		return nil
	}
	return portaldata.AddChange(ctx, tx, actor, change, r.id)
}

// url returns the URL of a portal. It signs the code again, since neither the code nor its tag is stored.
func (s *Service) url(r *record, expires time.Time) Secret {
	return Secret(s.base + s.signer.Sign(link.Link{ID: r.link, ExpiresAt: expires, Connect: r.webview != nil}))
}

// namedResources returns the resources that a configuration names, and the paths of the fields that name them. A device is not a
// resource.
func (c *Config) namedResources() (refs []data.Ref, fields []string) {
	for _, named := range []struct {
		field string
		ref   data.Ref
	}{{fieldLandingPage, c.LandingPage}, {fieldDeepLink, c.DeepLink}} {
		if named.ref != (data.Ref{}) && named.ref.Kind != data.KindDevice {
			refs, fields = append(refs, named.ref), append(fields, named.field)
		}
	}
	return refs, fields
}

// rowKeys returns the keys of the rows that checkReferences reads first.
func (c *Config) rowKeys(workspace uuid.UUID) [][]byte {
	refs, _ := c.namedResources()
	keys := make([][]byte, 0, len(refs)+1)
	for _, ref := range refs {
		keys = append(keys, layout.Directory(workspace, byte(ref.Kind.Class()), ref.Key))
	}
	if c.CustomizationProfileID != uuid.Nil {
		keys = append(keys, layout.Profile(workspace, c.CustomizationProfileID))
	}
	return keys
}

// checkReferences returns a validation.Error if a configuration names a resource, a device or a profile that does not exist. pushed, if it
// is not nil, contains resources that the same transaction creates.
func (s *Service) checkReferences(ctx context.Context, at *data.Snapshot, customer data.Customer, c Config, pushed *data.CustomerData) error {
	var notes jsonobject.Notes
	refs, fields := c.namedResources()
	found, err := portaldata.Resources(ctx, at, customer, refs)
	if err != nil {
		return err
	}
	for i, ref := range refs {
		if found[i] == nil && (pushed == nil || !contains(pushed, ref)) {
			notes.Add(validation.Finding{
				Path: refPath(fields[i], ref), Rule: validation.RuleNotThereYet, Message: "does not exist for this customer", Cause: notFound(ref),
			})
		}
	}
	if device, is := c.linkedDevice(); is {
		if err := s.checkDevice(ctx, at, customer, device, &notes); err != nil {
			return err
		}
	}
	if c.CustomizationProfileID != uuid.Nil {
		if _, err := readProfile(ctx, at, c.CustomizationProfileID); errors.Is(err, ErrProfileNotFound) {
			notes.Add(validation.Finding{
				Path: fieldProfile, Rule: validation.RuleNotThereYet, Message: "does not exist in this workspace", Cause: err,
			})
		} else if err != nil {
			return err
		}
	}
	return invalid(notes)
}

// checkDevice adds a fault if a deep link cannot show a device: if the service has no devices, or the customer has no such device.
func (s *Service) checkDevice(ctx context.Context, at *data.Snapshot, customer data.Customer, id uuid.UUID, notes *jsonobject.Notes) error {
	if s.access == nil {
		notes.Fault(fieldDeepLink+"."+fieldResourceType, validation.RuleNotThereYet, "cannot be device: this service has no devices")
		return nil
	}
	rows, err := at.Reader().Get(ctx, layout.Device(portaldata.CustomerID(customer), id))
	if err == nil && rows[0] == nil {
		notes.Add(validation.Finding{
			Path: fieldDeepLink + "." + fieldResourceID, Rule: validation.RuleNotThereYet,
			Message: "is not the id of a device of this customer", Cause: access.ErrDeviceNotFound,
		})
	}
	return err
}

// contains reports whether a push contains a space or an access grant with the class and the key of a reference.
func contains(d *data.CustomerData, ref data.Ref) bool {
	if ref.Kind.Class() == data.ClassSpace {
		return slices.ContainsFunc(d.Spaces, func(s data.Space) bool { return s.Key == ref.Key })
	}
	return slices.ContainsFunc(d.AccessGrants, func(g data.AccessGrant) bool { return g.Key == ref.Key })
}
