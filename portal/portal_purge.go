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

// maintenanceRows bounds the rows that one Update of Purge deletes, give or take the rows
// of one portal, so that other writers do not wait long for it.
const maintenanceRows = 5000

// PurgeReport is what Purge dropped.
type PurgeReport struct {
	Portals  int
	Sessions int
}

// Purge drops the portals and sessions of a workspace that were over before a time, now
// at the latest. The change feed does not tell of it.
// Their links stay expired: a code says so by itself. The newest portal of a customer
// stays, so that Open can renew it. It reads every customer, and works in bounded
// transactions; where it fails, what it dropped stays dropped.
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
			p := purge{s: s, ws: ws, customer: portaldata.CustomerID(c), before: before}
			err := p.run(ctx, &report)
			if err != nil && !errors.Is(err, data.ErrCustomerNotFound) { // it went meanwhile
				return report, err
			}
		}
		if cursor = page.Next; cursor == "" {
			return report, nil
		}
	}
}

// purge is of one customer.
type purge struct {
	s        *Service
	ws       *data.Workspace
	customer layout.CustomerID
	before   time.Time
}

// run drops sessions and holders before portals, so that none outlives its portal.
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

// session returns the rows to drop with a session, or none.
func (p purge) session(_ newest, e storage.Entry) ([][]byte, error) {
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

// holder returns the row to drop with a holder, or none.
func (p purge) holder(_ newest, e storage.Entry) ([][]byte, error) {
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

// portal returns the rows to drop with a portal, or none.
func (p purge) portal(newest newest, e storage.Entry) ([][]byte, error) {
	k, err := layout.ParseAs(layout.ShapePortal, e.Key)
	if err != nil {
		return nil, err
	}
	row, err := decodeRecord(p.customer, k.ID, e.Value)
	if err != nil || !row.expiresAt.Before(p.before) {
		return nil, err
	}
	if kept, err := newest(); err != nil || string(kept) == string(k.ID[:]) {
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

// newest returns the row of the customer's newest portal, which it reads in the first call.
type newest func() ([]byte, error)

// selectRows returns the keys of the rows to delete with an entry, or none.
type selectRows func(newest newest, e storage.Entry) ([][]byte, error)

// sweep drops what rows says of each entry under a prefix, in one transaction after
// another, and says of how many entries. Where there is nothing to drop it only reads.
func (p purge) sweep(ctx context.Context, prefix []byte, rows selectRows) (dropped int, err error) {
	r := storage.Prefix(prefix)
	for {
		var found batch
		err := p.ws.View(ctx, func(at *data.Snapshot) (err error) {
			found, err = p.collect(ctx, at.Reader(), r, rows)
			return err
		})
		if err != nil {
			return dropped, err
		}
		if found.entries > 0 {
			err := portaldata.WithinUnversioned(ctx, p.ws, p.customer, func(ctx context.Context, tx data.CustomerTx) (err error) {
				if found, err = p.collect(ctx, tx.Tx, r, rows); err != nil {
					return err
				}
				return tx.Tx.Delete(found.keys...)
			})
			if err != nil {
				return dropped, err
			}
			dropped += found.entries
		}
		if found.next == nil {
			return dropped, nil
		}
		r.Start = found.next
	}
}

// batch is what one transaction drops.
type batch struct {
	keys    [][]byte
	entries int
	next    []byte // where the next begins; nil at the end
}

func (p purge) collect(ctx context.Context, at storage.Reader, r storage.Range, rows selectRows) (found batch, err error) {
	newest := sync.OnceValues(func() ([]byte, error) {
		row, err := at.Get(ctx, layout.NewestPortal(p.customer))
		if err != nil {
			return nil, err
		}
		return row[0], nil
	})
	for e, err := range at.Scan(ctx, r, storage.ScanOptions{}) {
		if err != nil {
			return found, err
		}
		gone, err := rows(newest, e)
		if err != nil {
			return found, err
		}
		if len(found.keys) >= maintenanceRows {
			found.next = e.Key
			return found, nil
		}
		if gone != nil {
			found.entries++
			found.keys = append(found.keys, gone...)
		}
	}
	return found, nil
}
