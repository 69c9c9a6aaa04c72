package portal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/portaldata"
	"github.com/customerportal-go/customerportal/storage"
)

// maintenanceRows is the number of rows after which a transaction of Purge stops selecting portals and sessions. The bound keeps
// other writers from waiting long.
const maintenanceRows = 5000

// PurgeReport contains the numbers of portals and sessions that Purge deleted.
type PurgeReport struct {
	Portals  int
	Sessions int
}

// Purge deletes the portals and sessions of a workspace whose lifetime ended before the given time. A time in the future counts
// as the current time. The links of deleted portals remain expired, since a code contains its expiry. Purge keeps the newest
// portal of each customer, so that [Service.Open] can renew it. It adds nothing to the change feed.
//
// Purge reads the portals and sessions of all customers, and deletes in transactions of bounded size. If it returns an error, the
// report counts the portals and sessions that it deleted before.
func (s *Service) Purge(ctx context.Context, ws *data.Workspace, before time.Time) (report PurgeReport, err error) {
	if err := s.checkWorkspace(ws); err != nil {
		return report, err
	}
	if now := s.time(); before.After(now) {
		before = now
	}
	for cursor := ""; ; {
		page, err := ws.Customers(ctx, data.CustomerQuery{Limit: 1000, Cursor: cursor})
		if err != nil {
			return report, err
		}
		for _, c := range page.Items {
			p := purge{s: s, ws: ws, owner: c, customer: portaldata.CustomerID(c), before: before}
			err := p.run(ctx, &report)
			if err != nil && !errors.Is(err, data.ErrCustomerNotFound) { // the customer may have been deleted
				return report, err
			}
		}
		if cursor = page.Next; cursor == "" {
			return report, nil
		}
	}
}

// purge deletes the expired portals and the ended sessions of one customer.
type purge struct {
	s        *Service
	ws       *data.Workspace
	owner    data.Customer
	customer layout.CustomerID
	before   time.Time
}

// run deletes sessions and holders before portals, so that no session or holder remains without its portal. It adds to the
// report.
func (p purge) run(ctx context.Context, report *PurgeReport) error {
	sessions, err := p.sweep(ctx, layout.SessionsPrefix(p.customer), p.session)
	report.Sessions += sessions
	if err != nil {
		return err
	}
	if _, err := p.sweep(ctx, layout.HoldersPrefix(p.customer), p.holder); err != nil {
		return err
	}
	portals, err := p.sweep(ctx, layout.PortalsPrefix(p.customer), p.portal)
	report.Portals += portals
	return err
}

// session returns the keys of the rows of a session, or nil if it is not to be deleted.
func (p purge) session(_ context.Context, _ purgeState, e storage.Entry) ([][]byte, error) {
	k, err := layout.ParseAs(layout.ShapeSessionRow, e.Key)
	if err != nil {
		return nil, err
	}
	row, err := decodeSession(e.Value)
	if err != nil || !row.expiresAt.Before(p.before) {
		return nil, err
	}
	return [][]byte{e.Key, layout.SessionIndex(k.Session)}, nil
}

// holder returns the key of the row of a holder, or nil if it is not to be deleted.
func (p purge) holder(_ context.Context, _ purgeState, e storage.Entry) ([][]byte, error) {
	at := layout.NewDecoder(e.Value)
	expiresAt := at.Time()
	if err := at.Done(); err != nil {
		return nil, fmt.Errorf("%w: the row of a holder: %w", storage.ErrCorrupt, err)
	}
	if !expiresAt.Before(p.before) {
		return nil, nil
	}
	return [][]byte{e.Key}, nil
}

// portal returns the keys of the rows of a portal, or nil if it is not to be deleted.
func (p purge) portal(ctx context.Context, state purgeState, e storage.Entry) ([][]byte, error) {
	k, err := layout.ParseAs(layout.ShapePortal, e.Key)
	if err != nil {
		return nil, err
	}
	row, err := decodeRecord(p.customer, k.ID, e.Value)
	if err != nil {
		return nil, err
	}
	if over, err := p.isOver(ctx, state.at, row); err != nil || !over {
		return nil, err
	}
	if kept, err := state.newest(); err != nil || string(kept) == string(k.ID[:]) {
		return nil, err
	}
	c, err := row.config()
	if err != nil {
		return nil, err
	}
	rows := laterRows(row)
	for _, r := range creationRows(row, c) {
		rows = append(rows, r.Key)
	}
	return rows, nil
}

// isOver reports whether a portal closed before the given time. To save reads, the stay of a guest link is read only if it was to end
// before that time when the link was created.
func (p purge) isOver(ctx context.Context, at *data.Snapshot, row *record) (bool, error) {
	if row.guest == nil || row.expiresAt.Before(p.before) || !row.guest.EndsAt.Before(p.before) {
		return row.expiresAt.Before(p.before), nil
	}
	c, err := row.config()
	if err != nil {
		return false, err
	}
	stay, err := p.s.readStay(ctx, at, p.owner, c.DeepLink.Key)
	if err != nil || stay.grant == nil {
		return err == nil, err // it was deleted, so the link is revoked
	}
	return !stay.closes.IsZero() && stay.closes.Before(p.before), nil
}

// purgeState is the state that a batch is selected in.
type purgeState struct {
	at     *data.Snapshot
	newest func() ([]byte, error) // returns the row of the customer's newest portal; the first call reads it
}

// selectRows returns the keys of the rows to delete together with the row e, including e, or nil if e is to be kept.
type selectRows func(ctx context.Context, state purgeState, e storage.Entry) ([][]byte, error)

// sweep calls rows for each row with a prefix and deletes the rows that it selects, in as many transactions as necessary. It
// returns the number of calls that selected rows. It begins no write transaction if there is nothing to delete.
func (p purge) sweep(ctx context.Context, prefix []byte, rows selectRows) (deleted int, err error) {
	r := storage.Prefix(prefix)
	for {
		var found batch
		err := p.ws.View(ctx, func(at *data.Snapshot) (err error) {
			found, err = p.collect(ctx, at, r, rows)
			return err
		})
		if err != nil {
			return deleted, err
		}
		if found.entries > 0 {
			err := portaldata.WithinUnversioned(ctx, p.ws, p.customer, func(ctx context.Context, tx data.CustomerTx) (err error) {
				if found, err = p.collect(ctx, tx.Snapshot, r, rows); err != nil {
					return err
				}
				return tx.Tx.Delete(found.keys...)
			})
			if err != nil {
				return deleted, err
			}
			deleted += found.entries
		}
		if found.next == nil {
			return deleted, nil
		}
		r.Start = found.next
	}
}

// batch contains the rows that one transaction deletes.
type batch struct {
	keys    [][]byte
	entries int
	next    []byte // the first key that was not read, or nil at the end
}

// collect returns the batch at the beginning of a range.
func (p purge) collect(ctx context.Context, at *data.Snapshot, r storage.Range, rows selectRows) (found batch, err error) {
	newest := sync.OnceValues(func() ([]byte, error) {
		row, err := at.Reader().Get(ctx, layout.NewestPortal(p.customer))
		if err != nil {
			return nil, err
		}
		return row[0], nil
	})
	for e, err := range at.Reader().Scan(ctx, r, storage.ScanOptions{}) {
		if err != nil {
			return found, err
		}
		selected, err := rows(ctx, purgeState{at, newest}, e)
		if err != nil {
			return found, err
		}
		if len(found.keys) >= maintenanceRows {
			found.next = e.Key
			return found, nil
		}
		if selected != nil {
			found.entries++
			found.keys = append(found.keys, selected...)
		}
	}
	return found, nil
}
