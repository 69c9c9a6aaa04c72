package access

import (
	"context"

	"github.com/google/uuid"
)

// attentionKey identifies a condition that needs attention.
type attentionKey struct {
	workspace, account, device, code uuid.UUID
	item                             AttentionType
	since                            string
}

// notify calls OnAttention for the conditions that are new since the last call. It reads the items of all workspaces.
func (s *Service) notify(ctx context.Context) error {
	workspaces, err := s.db.Workspaces(ctx)
	if err != nil {
		return err
	}
	current := map[attentionKey]bool{}
	for _, id := range workspaces {
		q := AttentionQuery{Limit: 1000}
		for {
			page, err := s.Workspace(id).Attention(ctx, q)
			if err != nil {
				return err
			}
			for _, item := range page.Items {
				key := attentionKey{id, item.AccountID, item.DeviceID, item.AccessCodeID, item.Type, item.Since.String()}
				if current[key] = true; !s.notified[key] {
					s.onAttention(ctx, id, item)
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
	}
	s.notified = current
	return nil
}
