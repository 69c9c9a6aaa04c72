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

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/form"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/internal/reportlimit"
	"github.com/customerportal-go/customerportal/portal/link"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/validation"
)

// CreateRequest says which portal to create.
type CreateRequest struct {
	// CustomerKey names a customer that exists. It may be left out where CustomerData
	// is given.
	CustomerKey string

	// CustomerData is pushed in the same step: the portal is there if and only if the
	// push is. It creates the customer if need be.
	CustomerData *data.CustomerData

	// Config is what the portal shows and allows. What it names has to be the customer's
	// already, or in CustomerData.
	Config Config

	// TTL is for how long the portal opens, at least 1 second and at most
	// Options.MaxTTL. Zero is Options.TTL.
	TTL time.Duration

	// MaxUses is how often the link begins a session; zero is any number, 1,000,000 the
	// most.
	MaxUses int
}

const maxMaxUses = 1_000_000

// Create makes a portal of a customer, with a link that opens it.
//
// It returns [data.ErrCustomerNotFound], or a [validation.Error] with every fault of the
// push and of the configuration; then nothing was made or pushed.
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
	var made CustomerPortal
	var insertErr error
	insert := func(ctx context.Context, tx data.CustomerTx) error {
		made, insertErr = s.insert(ctx, ws, tx, req, config, ids)
		return insertErr
	}
	var report data.PushReport
	if req.CustomerData == nil {
		err = ws.Within(ctx, req.CustomerKey, insert, append(ids.rowKeys(), req.Config.rowKeys(ws.ID())...)...)
	} else {
		report, err = ws.PushWith(ctx, *req.CustomerData, data.PushOptions{Within: insert, Reads: append(ids.rowKeys(), req.Config.rowKeys(ws.ID())...)})
		if insertErr == nil || !errors.Is(err, insertErr) { // the error is about the push
			err = prefixCustomerData(notes, err)
		}
	}
	if err != nil {
		return CustomerPortal{}, err
	}
	made.Push = report
	made.Warnings = notes.Listed()
	return made, nil
}

func (s *Service) checkWorkspace(ws *data.Workspace) error {
	switch {
	case ws == nil:
		return fmt.Errorf("%w: a workspace is needed", validation.ErrInvalid)
	case ws.DB() != s.db:
		return fmt.Errorf("%w: the workspace is of another DB than the service; make both from one data.Open", validation.ErrInvalid)
	}
	return nil
}

func (s *Service) checkCreate(req CreateRequest) form.Notes {
	notes := req.Config.check()
	switch d := req.CustomerData; {
	case d == nil && req.CustomerKey == "" && !notes.Has("customer_data") && !notes.Has(""): // which was given, and cannot be read
		notes.Fault("customer_key", validation.RuleRequired, "is required, or customer_data is")
	case d != nil && req.CustomerKey != "" && req.CustomerKey != d.CustomerKey:
		notes.Fault("customer_key", validation.RuleFormat, "%q is not that of customer_data, %q", req.CustomerKey, d.CustomerKey)
	}
	if req.TTL != 0 && req.TTL < minTTL || req.TTL > s.maxTTL {
		notes.Fault("ttl", validation.RuleRange, "must be at least %v and at most %v", minTTL, s.maxTTL)
	}
	if req.MaxUses < 0 || req.MaxUses > maxMaxUses {
		notes.Fault("max_uses", validation.RuleRange, "must be from 0 to %d", maxMaxUses)
	}
	return notes
}

// allFaults is the error of a request that is refused for its configuration, with what
// is wrong with its push too.
func (s *Service) joinFaults(ctx context.Context, ws *data.Workspace, req CreateRequest, notes form.Notes) error {
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

// underCustomerData puts the faults of a push under the path that it has in a request,
// beside what is wrong with the rest of that.
func prefixCustomerData(notes form.Notes, err error) error {
	var push *validation.Error
	if !errors.As(err, &push) {
		return err
	}
	omitted := reportlimit.Omitted{Faults: push.OmittedFaults, Warnings: push.OmittedWarnings}
	warnings := push.Warnings
	if omitted.Any() { // the last one says so, and the joined list says it once
		warnings = warnings[:max(len(warnings)-1, 0)]
	}
	notes.Join(form.Notes{Faults: prefixPaths("customer_data", push.Faults), Warnings: prefixPaths("customer_data", warnings), Omitted: omitted})
	return invalid(notes)
}

// portalIDs are the ids of a new portal and the time that it is created at. They are chosen
// before the transaction that writes the portal, so that the store can be told what the
// transaction reads.
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
		return ids, fmt.Errorf("portal: making a link id: %w", err)
	}
	return ids, nil
}

// newTimedID returns an id that sorts by time (UUID version 7), so that the newest portals of
// a customer are together.
func (s *Service) newTimedID(at time.Time) (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(s.rand)
	if err != nil {
		return id, fmt.Errorf("portal: making an id: %w", err)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	return id, nil
}

// reads returns the keys of the rows that exist if another portal has one of the ids.
func (ids portalIDs) rowKeys() [][]byte {
	return [][]byte{layout.LinkIndex(ids.link), layout.IDIndex(ids.portal)}
}

// insert writes the rows of a new portal, with its configuration as encodeConfig returned it.
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
		createdAt: ids.at, maxUses: uint64(req.MaxUses), stored: config,
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
		return CustomerPortal{}, fmt.Errorf("portal: Rand gave an id that is taken")
	}
	rows := creationRows(r, req.Config)
	if req.Config.DeepLink == (data.Ref{}) {
		rows = append(rows, storage.Entry{Key: layout.NewestPortal(r.customer), Value: r.id[:]})
	}
	for _, row := range rows {
		if err := tx.Tx.Put(row.Key, row.Value); err != nil {
			return CustomerPortal{}, err
		}
	}
	if err := portaldata.AddChange(ctx, tx, data.Actor{}, data.Created, r.id); err != nil {
		return CustomerPortal{}, err
	}
	p := r.describe(tx.Customer, req.Config)
	p.State = StateLive
	p.URL = s.url(r, expires)
	return p, nil
}

// url is the link of a portal, which is made anew where it is asked for: the store
// holds neither its code nor its tag.
func (s *Service) url(r *record, expires time.Time) Secret {
	return Secret(s.base + s.signer.Sign(link.Link{ID: r.link, ExpiresAt: expires}))
}

// named returns the resources that a configuration names, with their fields.
func (c *Config) namedResources() (refs []data.Ref, fields []string) {
	for _, named := range []struct {
		field string
		ref   data.Ref
	}{{fieldLandingPage, c.LandingPage}, {fieldDeepLink, c.DeepLink}} {
		if named.ref != (data.Ref{}) {
			refs, fields = append(refs, named.ref), append(fields, named.field)
		}
	}
	return refs, fields
}

// reads returns the keys of the rows that checkThere reads first.
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

// checkThere returns a validation.Error if a configuration names something that does not exist.
// Resources that are pushed in the same step are given.
func (s *Service) checkReferences(ctx context.Context, at *data.Snapshot, of data.Customer, c Config, given *data.CustomerData) error {
	var notes form.Notes
	refs, fields := c.namedResources()
	found, err := portaldata.Resources(ctx, at, of, refs)
	if err != nil {
		return err
	}
	for i, ref := range refs {
		if found[i] == nil && (given == nil || !contains(given, ref)) {
			notes.Add(validation.Finding{
				Path: refPath(fields[i], ref), Rule: validation.RuleNotThereYet, Message: "names nothing of this customer", Cause: notFound(ref),
			})
		}
	}
	if c.CustomizationProfileID != uuid.Nil {
		if _, err := readProfile(ctx, at, c.CustomizationProfileID); errors.Is(err, ErrProfileNotFound) {
			notes.Add(validation.Finding{
				Path: fieldProfile, Rule: validation.RuleNotThereYet, Message: "names no profile of this workspace", Cause: err,
			})
		} else if err != nil {
			return err
		}
	}
	return invalid(notes)
}

// gives reports whether a push gives a resource, by class and key.
func contains(d *data.CustomerData, ref data.Ref) bool {
	if ref.Kind.Class() == data.ClassSpace {
		return slices.ContainsFunc(d.Spaces, func(s data.Space) bool { return s.Key == ref.Key })
	}
	return slices.ContainsFunc(d.AccessGrants, func(g data.AccessGrant) bool { return g.Key == ref.Key })
}
