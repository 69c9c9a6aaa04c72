package access

import (
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/devicedata"
)

// subjectPlan is an access grant or a staff member whose codes are planned.
type subjectPlan struct {
	subject   devicedata.Subject
	spaces    []data.Ref
	devices   []uuid.UUID // that it names
	wanted    bool        // by the rules
	starts    time.Time
	ends      time.Time
	preferred string
	user      data.Ref // the guest
	known     bool     // it has codes
}

// subject returns an access grant or a staff member with its window. It reports false for another resource.
func (p *codePlan) subject(resource data.Resource) (sp subjectPlan, ok bool) {
	switch r := resource.(type) {
	case data.AccessGrant:
		sp = subjectPlan{
			subject: devicedata.GrantSubject(r.Key), spaces: r.Spaces, devices: r.Devices, wanted: p.rules.grantCodes, preferred: r.PreferredCode, user: r.User,
		}
		sp.starts, sp.ends = p.rules.window(r)
		return sp, true
	case data.UserIdentity:
		sp = subjectPlan{subject: devicedata.StaffSubject(r.Key), spaces: r.Spaces, wanted: p.rules.staffCodes, starts: r.StartsAt, ends: r.EndsAt}
		return sp, r.Kind == data.KindStaffMember
	}
	return sp, false
}

func (sp *subjectPlan) over(now time.Time) bool { return !sp.ends.IsZero() && !now.Before(sp.ends) }
