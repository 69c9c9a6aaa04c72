package portal

import (
	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
)

// hideOtherPortals removes the ids of all portals but one from the actors of changes.
func hideOtherPortals(changes []data.FeedChange, portalID uuid.UUID) {
	for i := range changes {
		if actor := &changes[i].Actor; actor.PortalID != portalID {
			actor.PortalID = uuid.Nil
		}
	}
}
