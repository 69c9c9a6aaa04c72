package access

import (
	"context"
	"encoding/hex"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// RunRetention is the time for which automation runs are kept.
const RunRetention = 90 * 24 * time.Hour

// RunRule is the rule that an automation run applied.
type RunRule string

// The rules of automation runs.
const (
	RunCodesCreated RunRule = "reservation_created"        // an access grant got access codes
	RunTimesChanged RunRule = "reservation_time_updated"   // its codes got other times
	RunDoorsChanged RunRule = "reservation_spaces_updated" // it got codes on other locks, or lost some
	RunStaffCreated RunRule = "staff_member_created"       // the codes of a staff member changed
	RunOccupied     RunRule = "climate_occupied"           // a stay begins: a thermostat gets the preset for occupied rooms
	RunUnoccupied   RunRule = "climate_unoccupied"         // a stay has ended: a thermostat gets the preset for unoccupied rooms
)

// AutomationRun is an entry of the log of automatic changes.
type AutomationRun struct {
	ID         string    `json:"automation_run_id"`
	Rule       RunRule   `json:"rule"`
	Success    bool      `json:"success"`
	Subject    data.Ref  `json:"subject"`                    // the access grant or the staff member, by class
	DeviceID   uuid.UUID `json:"device_id,omitzero"`         // of a climate rule
	AttemptID  uuid.UUID `json:"action_attempt_id,omitzero"` // of a climate rule
	Created    int       `json:"created,omitempty"`          // number of access codes
	Updated    int       `json:"updated,omitempty"`
	Deleted    int       `json:"deleted,omitempty"`
	Error      string    `json:"error,omitempty"` // in English
	OccurredAt time.Time `json:"created_at"`
}

// automationActor is the actor of automatic changes.
var automationActor = data.Actor{Type: data.ActorAutomation, Name: "access"}

// RunQuery selects automation runs of one customer.
type RunQuery struct {
	// Keep, if it is not nil, reports whether a run is listed.
	Keep func(AutomationRun) bool

	Limit  int    // maximum number of runs in a page, from 1 to 1000; 0 selects 100
	Cursor string // Page.Next of the previous page; empty selects the first page
}

// AutomationRuns returns a page of the automation runs of the customer of the scope, the newest first. A page reads at most 10,000 runs,
// and has Stopped set if it ended for that reason. AutomationRuns returns a [validation.Error] for the scope of a workspace and a Limit
// out of range, [data.ErrInvalidCursor] and [data.ErrCustomerNotFound].
func (c *Scope) AutomationRuns(ctx context.Context, q RunQuery) (page data.Page[AutomationRun], err error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return page, err
	}
	last, err := hex.DecodeString(q.Cursor)
	if err != nil || len(last) != 0 && len(last) != len(layout.ActivityID{}) {
		return page, data.ErrInvalidCursor
	}
	err = c.view(ctx, func(s *data.Snapshot) error {
		page = data.Page[AutomationRun]{Items: []AutomationRun{}}
		customer, err := c.customerIn(ctx, s)
		if err != nil {
			return err
		}
		read, at := 0, ""
		for run, err := range runsBefore(ctx, s, devicedata.IDOf(customer), last, maxScan+1) {
			if err != nil {
				return err
			}
			if len(page.Items) == limit || read == maxScan {
				page.Next, page.Stopped = at, len(page.Items) < limit
				break
			}
			read, at = read+1, run.ID
			if q.Keep == nil || q.Keep(run) {
				page.Items = append(page.Items, run)
			}
		}
		return nil
	})
	return page, err
}

// runsBefore yields at most limit automation runs of a customer, the newest first. They begin before the run with the id last, or at the
// newest one if last is empty.
func runsBefore(ctx context.Context, s *data.Snapshot, customer devicedata.CustomerID, last []byte, limit int) iter.Seq2[AutomationRun, error] {
	prefix := layout.RunsPrefix(customer)
	r := storage.Prefix(prefix)
	if len(last) > 0 {
		r.End = append(prefix[:len(prefix):len(prefix)], last...)
	}
	return func(yield func(AutomationRun, error) bool) {
		for e, err := range s.Reader().Scan(ctx, r, storage.ScanOptions{Reverse: true, Limit: limit}) {
			var run AutomationRun
			if err == nil {
				err = decode("an automation run", e.Value, &run)
			}
			if err == nil {
				id := layout.Parse(e.Key).Activity
				run.ID = hex.EncodeToString(id[:])
			}
			if !yield(run, err) || err != nil {
				return
			}
		}
	}
}

// maxLastRuns is the number of runs that LastRuns reads.
const maxLastRuns = 2000

// LastRuns returns the last automation run of each subject, by its reference by class, among the newest 2,000 runs of the customer of the
// scope. It returns a [validation.Error] for the scope of a workspace, and [data.ErrCustomerNotFound].
func (c *Scope) LastRuns(ctx context.Context, subjects ...data.Ref) (last map[data.Ref]AutomationRun, err error) {
	wanted := map[data.Ref]bool{}
	for _, ref := range subjects {
		wanted[refOf(subjectOf(ref))] = true
	}
	err = c.view(ctx, func(s *data.Snapshot) error {
		last = map[data.Ref]AutomationRun{}
		customer, err := c.customerIn(ctx, s)
		if err != nil || len(wanted) == 0 {
			return err
		}
		for run, err := range runsBefore(ctx, s, devicedata.IDOf(customer), nil, maxLastRuns) {
			if err != nil {
				return err
			}
			if _, known := last[run.Subject]; !known && wanted[run.Subject] {
				if last[run.Subject] = run; len(last) == len(wanted) {
					return nil
				}
			}
		}
		return nil
	})
	return last, err
}

// logRuns stores automation runs of a customer. Their order is that in which they are stored.
func (s *Service) logRuns(tx storage.Tx, customer devicedata.CustomerID, runs []AutomationRun) error {
	for _, run := range runs {
		var id layout.ActivityID
		if _, err := io.ReadFull(s.db.Rand(), id[8:]); err != nil {
			return err
		}
		copy(id[:8], layout.AppendTime(nil, s.nextActivityTime()))
		run.OccurredAt = s.now()
		if err := tx.Put(layout.Run(customer, id), encode(run)); err != nil {
			return err
		}
	}
	return nil
}
