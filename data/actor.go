package data

import (
	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// ActorType is the type of an [Actor].
type ActorType string

// The types of actors.
const (
	ActorHost       ActorType = "host"       // the program that uses the library, or a client of its API
	ActorPortal     ActorType = "portal"     // a visitor of a customer portal
	ActorAutomation ActorType = "automation" // an automatic rule
	ActorConnector  ActorType = "connector"  // an import from another service, such as a calendar

	// ActorDevice is the actor of an event of a device that nobody caused through this library, such as a person at a lock, or a
	// lost connection. Only the change feed contains it: an operation with this actor is refused.
	ActorDevice ActorType = "device"
)

// Actor identifies the cause of a change. The zero Actor is the host.
type Actor struct {
	Type     ActorType `json:"type"`                        // empty means ActorHost; an Actor that was read always has a type
	PortalID uuid.UUID `json:"customer_portal_id,omitzero"` // required for ActorPortal, zero for all other types
	Name     string    `json:"name,omitempty"`              // required for ActorAutomation and ActorConnector, empty for all other types
}

// isHost reports whether the actor is the host.
func (a Actor) isHost() bool { return a.Type == ActorHost || a.Type == "" }

// isPortal reports whether the actor is a visitor of a portal.
func (a Actor) isPortal() bool { return a.Type == ActorPortal }

// typed returns the actor with its type, as it is read from the store.
func (a Actor) typed() Actor {
	if a.isHost() {
		a.Type = ActorHost
	}
	return a
}

// maxName is the maximum length of the name of an actor or a consumer in bytes.
const maxName = 200

// reportName reports if the name of an actor or a consumer is not valid. Except for its length,
// a name follows the rules of a resource key.
func reportName(name string, report reporter) {
	if len(name) > maxName {
		report("", validation.RuleKeyFormat, "has %d bytes; at most %d are allowed", len(name), maxName)
		return
	}
	reportKey(name, report)
}

// validate returns a [validation.Error] if the actor breaks a rule of its type.
func (a Actor) validate() error {
	var found findings
	report := found.in("actor")
	portal, named := a.Type == ActorPortal, a.Type == ActorAutomation || a.Type == ActorConnector
	if !portal && !named && a.Type != "" && a.Type != ActorHost {
		report(".type", validation.RuleFormat, "%q must be %q, %q, %q or %q", textrules.Clip(string(a.Type)), ActorHost, ActorPortal, ActorAutomation, ActorConnector)
	}
	switch {
	case portal && a.PortalID == uuid.Nil:
		report(".customer_portal_id", validation.RuleRequired, "is required for the type %q", ActorPortal)
	case !portal && a.PortalID != uuid.Nil:
		report(".customer_portal_id", validation.RuleNotAField, "must be zero: only the type %q has a portal", ActorPortal)
	}
	switch {
	case !named && a.Name != "":
		report(".name", validation.RuleNotAField, "must be empty: only the types %q and %q have a name", ActorAutomation, ActorConnector)
	case named:
		reportName(a.Name, under(".name", report))
	}
	return found.err(false)
}

// actorTypes maps the stored byte of a type to the type.
var actorTypes = map[byte]ActorType{'h': ActorHost, 'p': ActorPortal, 'a': ActorAutomation, 'c': ActorConnector, 'd': ActorDevice}

// append appends the stored form of an actor that passes validate, or is ActorDevice.
func (a Actor) append(b []byte) []byte {
	switch a.Type {
	case ActorPortal:
		return append(append(b, a.Type[0]), a.PortalID[:]...)
	case ActorAutomation, ActorConnector:
		return layout.AppendBytes(append(b, a.Type[0]), a.Name)
	}
	return append(b, a.typed().Type[0])
}

// decodeActor decodes the bytes that [Actor.append] wrote.
func decodeActor(d *layout.Decoder) Actor {
	a := Actor{Type: actorTypes[d.Byte()]}
	switch a.Type {
	case "":
		d.Fail()
	case ActorPortal:
		a.PortalID = d.UUID()
	case ActorAutomation, ActorConnector:
		a.Name = d.String()
	}
	return a
}
