package access

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// maintenanceBatch is the number of attempts or activities that one transaction deletes. An attempt has up to four rows, an
// activity two, so a transaction has at most 5,000 rows.
const maintenanceBatch = 1250

// maintain deletes old attempts and activities, ends attempts whose rows are damaged, and seals values again after a change of the
// active key slot.
func (s *Service) maintain(ctx context.Context) error {
	_, err := s.Reseal(ctx)
	return errors.Join(s.trimAll(ctx), s.repairQueue(ctx), err)
}

// trimAll deletes the attempts and activities of all customers that are too old or too many.
func (s *Service) trimAll(ctx context.Context) error {
	workspaces, err := s.db.Workspaces(ctx)
	if err != nil {
		return err
	}
	for _, id := range workspaces {
		w := s.db.Workspace(id)
		q := data.CustomerQuery{Limit: 1000}
		for {
			page, err := w.Customers(ctx, q)
			if err != nil {
				return err
			}
			for _, c := range page.Items {
				if err := s.trim(ctx, w, devicedata.IDOf(c)); err != nil && !isGone(err) {
					return err
				}
			}
			if page.Next == "" {
				break
			}
			q.Cursor = page.Next
		}
	}
	return nil
}

// trim deletes the old attempts, activities and automation runs of one customer.
func (s *Service) trim(ctx context.Context, w *data.Workspace, customer devicedata.CustomerID) error {
	now := s.db.Now()
	var oldest uuid.UUID
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(now.Add(-attemptRetention).UnixMilli()))
	copy(oldest[:6], millis[2:])
	attempts := storage.Range{Start: layout.AttemptsPrefix(customer), End: layout.Attempt(customer, oldest)}
	if err := s.deleteRows(ctx, w, customer, attempts, func(k layout.Key, value []byte) ([][]byte, error) {
		index, _ := layout.AttemptIndexEntry(customer, k.ID)
		queue, _ := layout.AttemptQueueEntry(w.ID(), customer, k.ID)
		rows := [][]byte{index, queue}
		var a attemptRow // of a damaged one, the row of the token remains
		if decode("an action attempt", value, &a) == nil && a.Token != uuid.Nil {
			rows = append(rows, layout.AttemptToken(customer, a.Token))
		}
		return rows, nil
	}); err != nil {
		return err
	}
	end, err := s.activitiesEnd(ctx, customer)
	if err != nil {
		return err
	}
	var cutoff layout.ActivityID
	copy(cutoff[:8], layout.AppendTime(nil, now.Add(-ActivityRetention)))
	if old := layout.Activity(customer, cutoff); string(end) < string(old) {
		end = old
	}
	if err := s.deleteRows(ctx, w, customer, storage.Range{Start: layout.RunsPrefix(customer), End: layout.Run(customer, oldestRun(now))}, noOthers); err != nil {
		return err
	}
	activities := storage.Range{Start: layout.ActivitiesPrefix(customer), End: end}
	return s.deleteRows(ctx, w, customer, activities, func(k layout.Key, value []byte) ([][]byte, error) {
		var a Activity
		if err := decode("an activity", value, &a); err != nil {
			return nil, err
		}
		return [][]byte{layout.DeviceActivity(customer, a.DeviceID, k.Activity)}, nil
	})
}

// oldestRun returns the first id of the automation runs that are kept.
func oldestRun(now time.Time) (id layout.ActivityID) {
	copy(id[:8], layout.AppendTime(nil, now.Add(-RunRetention)))
	return id
}

func noOthers(layout.Key, []byte) ([][]byte, error) { return nil, nil }

// activitiesEnd returns the key of the first activity that the bound of the number keeps, or the start of the activities.
func (s *Service) activitiesEnd(ctx context.Context, customer devicedata.CustomerID) (end []byte, err error) {
	prefix := layout.ActivitiesPrefix(customer)
	err = devicedata.View(ctx, s.db, func(r storage.Reader) error {
		end = prefix
		n := 0
		for e, err := range r.Scan(ctx, storage.Prefix(prefix), storage.ScanOptions{Reverse: true, KeysOnly: true, Limit: MaxActivities}) {
			if err != nil {
				return err
			}
			if n++; n == MaxActivities {
				end = e.Key
			}
		}
		return nil
	})
	return end, err
}

// deleteRows deletes the rows of a range of a customer and the rows that belong to them, in batches.
func (s *Service) deleteRows(ctx context.Context, w *data.Workspace, customer devicedata.CustomerID, r storage.Range, others func(layout.Key, []byte) ([][]byte, error)) error {
	for n := maintenanceBatch; n == maintenanceBatch; {
		var found [][]byte
		err := devicedata.View(ctx, s.db, func(reader storage.Reader) error {
			found, n = nil, 0
			for e, err := range reader.Scan(ctx, r, storage.ScanOptions{Limit: maintenanceBatch}) {
				if err != nil {
					return err
				}
				more, err := others(layout.Parse(e.Key), e.Value)
				if err != nil {
					return err
				}
				found = append(append(found, e.Key), more...)
				n++
			}
			return nil
		})
		if err != nil || n == 0 {
			return err
		}
		if err := devicedata.Within(ctx, w, customer, func(_ context.Context, tx data.CustomerTx) error { return tx.Tx.Delete(found...) }); err != nil {
			return err
		}
	}
	return nil
}
