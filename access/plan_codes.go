package access

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/lockplan"
)

// planBatch is the maximum number of access grants and staff members that one transaction plans.
const planBatch = 25

// planSubjects creates, changes and ends the codes of access grants and staff members of a customer, so that they are those that the
// rules, the mappings and the windows require. It calls no device. Subjects that do not exist are ignored: the delete has ended their
// codes.
func (s *Service) planSubjects(ctx context.Context, w *data.Workspace, customer devicedata.CustomerID, subjects []data.Ref) error {
	for batch := range slices.Chunk(subjects, planBatch) {
		err := devicedata.Within(ctx, w, customer, func(ctx context.Context, tx data.CustomerTx) error {
			return s.planIn(ctx, w, tx, batch, nil)
		})
		if err != nil {
			return err
		}
	}
	s.due.set()
	return nil
}

// planIn is planSubjects in a transaction. If reissue is not nil, it gives the subject, which must be the only one, another PIN.
func (s *Service) planIn(ctx context.Context, w *data.Workspace, tx data.CustomerTx, subjects []data.Ref, reissue *reissue) error {
	customer := devicedata.IDOf(tx.Customer)
	counts, err := devicedata.CountsOf(ctx, tx.Snapshot, customer)
	if err != nil || counts.Devices == 0 {
		return err
	}
	common, own, err := readRules(ctx, tx.Tx, w, customer)
	if err != nil {
		return err
	}
	resources, err := tx.Resources(ctx, tx.Customer.Key, subjects)
	if err != nil {
		return err
	}
	p := newCodePlan(s, tx)
	p.rules = own.over(common).effective()
	p.reissue = reissue
	var planned []subjectPlan
	for _, resource := range resources {
		if sp, ok := p.subject(resource); ok {
			planned = append(planned, sp)
		}
	}
	if err := p.readLocks(ctx, planned); err != nil {
		return err
	}
	for i := range planned {
		sp := &planned[i]
		created, updated, deleted := len(p.created), len(p.updated), len(p.ended)+len(p.dropped)
		before := *p
		if err := p.plan(ctx, sp); isDamage(err) && reissue == nil { // the others are planned all the same
			s.failed(ctx, "planning the access codes of an access grant", err, "customer_key", tx.Customer.Key, "key", sp.subject.Key)
			*p = before
			p.runs = append(p.runs, AutomationRun{Rule: RunCodesCreated, Subject: refOf(sp.subject), Error: device.Label(err.Error())})
			continue
		} else if err != nil {
			return err
		}
		if reissue != nil && reissue.pin.IsZero() {
			p.setActor(reissue.actor)
			continue
		}
		p.logRun(*sp, len(p.created)-created, len(p.updated)-updated, len(p.ended)+len(p.dropped)-deleted)
	}
	return p.write(ctx)
}

// plannedLock is a lock with access codes.
type plannedLock struct {
	row     *devicedata.Device
	accepts bool // access codes
	limits  device.CodeLimits
	taken   map[device.Secret]bool // the PINs of its codes; nil until they are read
}

// codePlan collects the changes of one transaction.
type codePlan struct {
	s        *Service
	tx       data.CustomerTx
	customer devicedata.CustomerID
	rules    effectiveRules
	now      time.Time
	reissue  *reissue // nil unless a caller wants another PIN

	locks   map[uuid.UUID]*plannedLock
	bySpace map[string][]uuid.UUID // locks by the key of a space to which they are mapped
	bySite  map[string][]uuid.UUID // shared locks by the key of their site
	sites   map[string]string      // the site of each space; a site is its own

	created, updated []devicedata.Code
	ended, dropped   []devicedata.CodeKey
	events           []data.FeedChange
	runs             []AutomationRun
}

// readLocks reads the locks of the spaces of the subjects, those that they name, and the shared entrances of the customer.
func (p *codePlan) readLocks(ctx context.Context, planned []subjectPlan) error {
	spaces := map[string]bool{}
	var named []uuid.UUID
	for _, sp := range planned {
		for _, ref := range sp.spaces {
			spaces[ref.Key] = true
		}
		named = append(named, sp.devices...)
	}
	found, err := devicedata.DevicesByID(ctx, p.tx.Snapshot, p.customer, lo.Uniq(named)...)
	if err != nil {
		return err
	}
	for _, d := range found {
		if d != nil {
			p.addLock(d)
		}
	}
	for key := range spaces {
		for d, err := range devicedata.DevicesOfSpace(ctx, p.tx.Snapshot, p.customer, key) {
			if err != nil {
				return err
			}
			p.addLock(d)
			p.bySpace[key] = append(p.bySpace[key], d.ID)
		}
	}
	shared := map[string][]uuid.UUID{} // by the key of the space
	for d, err := range devicedata.Entrances(ctx, p.tx.Snapshot, p.customer) {
		if err != nil {
			return err
		}
		p.addLock(d)
		for _, m := range d.Mappings {
			if m.Shared {
				shared[m.SpaceKey] = append(shared[m.SpaceKey], d.ID)
				spaces[m.SpaceKey] = true
			}
		}
	}
	if len(shared) == 0 {
		return nil
	}
	order := slices.Sorted(maps.Keys(spaces))
	refs := make([]data.Ref, len(order))
	for i, key := range order {
		refs[i] = data.Ref{Kind: data.KindSpace, Key: key}
	}
	resources, err := p.tx.Resources(ctx, p.tx.Customer.Key, refs)
	if err != nil {
		return err
	}
	for i, resource := range resources {
		if space, ok := resource.(data.Space); ok && space.Kind == data.KindSite {
			p.sites[order[i]] = space.Key
		} else if ok {
			p.sites[order[i]] = space.ParentSiteKey
		}
	}
	for key, locks := range shared {
		if site := p.sites[key]; site != "" {
			p.bySite[site] = append(p.bySite[site], locks...)
		}
	}
	return nil
}

// addLock adds a device. A device without access codes, or with damaged details, gets none, but keeps those that it has: missing data
// does not end access.
func (p *codePlan) addLock(d *devicedata.Device) {
	if p.locks[d.ID] != nil {
		return
	}
	var details deviceDetails
	lock := &plannedLock{row: d}
	if decode("the details of a device", d.Details, &details) == nil && details.Codes != nil {
		lock.limits, lock.accepts = *details.Codes, true
	}
	p.locks[d.ID] = lock
}

// reached returns the locks that a subject opens: those that it names, those of its spaces, and the shared entrances of their sites.
func (p *codePlan) reached(sp subjectPlan) []uuid.UUID {
	ids := map[uuid.UUID]bool{}
	for _, id := range sp.devices {
		if p.locks[id] != nil {
			ids[id] = true
		}
	}
	for _, ref := range sp.spaces {
		for _, id := range p.bySpace[ref.Key] {
			ids[id] = true
		}
		if site := p.sites[ref.Key]; site != "" {
			for _, id := range p.bySite[site] {
				ids[id] = true
			}
		}
	}
	return sortedIDs(ids)
}

// plan plans the codes of one subject.
func (p *codePlan) plan(ctx context.Context, sp *subjectPlan) error {
	wanted := map[uuid.UUID]bool{}
	var locks []uuid.UUID
	if sp.wanted {
		locks = p.reached(*sp)
	}
	for _, id := range locks {
		wanted[id] = true
	}
	var stored storedPIN
	var unread error
	if len(locks) > 0 {
		if stored, unread = p.s.subjectPIN(ctx, p.tx.Snapshot, p.customer, sp.subject); stored.isRevoked() && p.reissue == nil {
			clear(wanted)
			locks = nil
		}
	}
	locks = slices.DeleteFunc(locks, func(id uuid.UUID) bool { return !p.locks[id].accepts })
	var pin device.Secret
	var changed bool
	if len(locks) > 0 && !sp.over(p.now) {
		var err error
		if pin, changed, err = p.pin(ctx, *sp, locks, stored, unread); err != nil {
			return err
		}
	}
	for row, err := range devicedata.CodesOf(ctx, p.tx.Snapshot, p.customer, sp.subject) {
		if err != nil {
			return err
		}
		sp.known = true
		switch {
		case !wanted[row.DeviceID], sp.over(p.now) && row.Slot == 0:
			p.end(row)
		default:
			if err := p.keep(row, *sp, pin, changed); err != nil {
				return err
			}
		}
		delete(wanted, row.DeviceID)
	}
	if sp.over(p.now) {
		return nil
	}
	for _, id := range locks {
		if wanted[id] {
			if err := p.create(*sp, p.locks[id], pin); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAt returns when a lock gets a code at the earliest.
func (p *codePlan) writeAt(starts time.Time, limits device.CodeLimits) time.Time {
	switch {
	case starts.IsZero():
		return time.Time{}
	case limits.NativeSchedule:
		return starts.Add(-max(nativeLead, p.rules.write))
	}
	return starts.Add(-p.rules.write)
}

// keep changes the window and the PIN of a code that remains. The window of a code on a lock that lists no access codes at present stays
// until it lists them again, because it depends on the rules of the lock. The PIN changes at once: a replaced PIN must not open any lock.
func (p *codePlan) keep(row *devicedata.Code, sp subjectPlan, pin device.Secret, changedPIN bool) error {
	d, err := decodeCodeDetails(row.Details)
	if err != nil {
		return err
	}
	changedPIN = changedPIN || p.hasOldPIN(row, d, pin)
	limits := p.locks[row.DeviceID].limits
	writeAt := p.writeAt(sp.starts, limits)
	if !p.locks[row.DeviceID].accepts {
		sp.starts, sp.ends, writeAt = row.StartsAt, row.EndsAt, d.WriteAt
	}
	newTimes := !row.StartsAt.Equal(sp.starts) || !row.EndsAt.Equal(sp.ends)
	if due := codeDue(row, d, p.now); !newTimes && !changedPIN && d.WriteAt.Equal(writeAt) &&
		!d.RetryAt.After(p.now.Add(maxBreakerPause)) && (due.IsZero() || !row.DueAt.After(due)) { // otherwise the clock was set back
		return nil
	}
	next := *row
	next.StartsAt, next.EndsAt, d.WriteAt = sp.starts, sp.ends, writeAt
	d = d.cleared() // the new input may succeed at once
	if newTimes && limits.NativeSchedule && row.Slot != 0 {
		d.Changed = true
	}
	switch {
	case changedPIN && row.Slot != 0:
		d.ClearFirst, d.OwnPIN = true, ""
	case changedPIN:
		d.OwnPIN = ""
		if next.SealedPIN, err = p.s.sealPIN(row.AccountID, row.ID, pin); err != nil {
			return err
		}
	}
	setDetails(&next, d, p.now)
	p.updated = append(p.updated, next)
	if newTimes {
		p.event("access_code.time_frame_changed", row)
	}
	if changedPIN {
		p.event("access_code.code_changed", row)
	}
	return nil
}

// hasOldPIN reports whether a code has a PIN that its subject had before, and that nothing replaces yet. pin is the PIN of the subject,
// or empty if it is not needed.
func (p *codePlan) hasOldPIN(row *devicedata.Code, d codeDetails, pin device.Secret) bool {
	if pin.IsZero() || d.OwnPIN != "" || d.ClearFirst {
		return false
	}
	stored, err := p.s.openPIN(row.AccountID, row.ID, row.SealedPIN)
	return err == nil && stored != pin // one that cannot be opened is reported with the code
}

func (p *codePlan) create(sp subjectPlan, lock *plannedLock, pin device.Secret) error {
	id, err := p.s.newID()
	if err != nil {
		return err
	}
	row := devicedata.Code{
		ID: id, DeviceID: lock.row.ID, AccountID: lock.row.AccountID, Subject: sp.subject, State: byte(lockplan.Unset), StartsAt: sp.starts, EndsAt: sp.ends,
	}
	if row.SealedPIN, err = p.s.sealPIN(row.AccountID, id, pin); err != nil {
		return err
	}
	setDetails(&row, codeDetails{WriteAt: p.writeAt(sp.starts, lock.limits)}, p.now)
	if lock.taken != nil {
		lock.taken[pin] = true
	}
	p.created = append(p.created, row)
	p.event("access_code.created", &row)
	return nil
}

func (p *codePlan) event(change data.Change, row *devicedata.Code) {
	p.events = append(p.events, codeEvent(change, row, p.now, nil))
}

// logRun adds a run to the log, if there were changes.
func (p *codePlan) logRun(sp subjectPlan, created, updated, deleted int) {
	if created+updated+deleted == 0 {
		return
	}
	rule := RunTimesChanged
	switch {
	case data.Class(sp.subject.Class) != data.ClassAccessGrant:
		rule = RunStaffCreated
	case created > 0 && updated+deleted == 0 && !sp.known:
		rule = RunCodesCreated
	case created+deleted > 0:
		rule = RunDoorsChanged
	}
	p.runs = append(p.runs, AutomationRun{Rule: rule, Success: true, Subject: refOf(sp.subject), Created: created, Updated: updated, Deleted: deleted})
}

// write writes the changes.
func (p *codePlan) write(ctx context.Context) error {
	if len(p.created) > 0 {
		if err := devicedata.CreateCodes(ctx, p.tx, p.created); err != nil {
			return err
		}
	}
	if len(p.updated) > 0 {
		if err := devicedata.UpdateCodes(ctx, p.tx, p.updated); err != nil {
			return err
		}
	}
	if err := devicedata.DropCodes(ctx, p.tx, p.dropped); err != nil {
		return err
	}
	if _, err := devicedata.EndCodes(ctx, p.tx, p.ended, devicedata.ReasonEnded); err != nil {
		return err
	}
	if err := p.s.logRuns(p.tx.Tx, p.customer, p.runs); err != nil {
		return err
	}
	return devicedata.AddEvents(ctx, p.tx, p.events)
}
