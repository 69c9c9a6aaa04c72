package devicedata

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/customerportal-go/customerportal/internal/devicerow"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// faults collects the faults of the input of a write.
type faults struct{ list []validation.Finding }

func (f *faults) add(path string, rule validation.Rule, cause error, format string, args ...any) {
	f.list = append(f.list, validation.Finding{Path: path, Rule: rule, Message: fmt.Sprintf(format, args...), Cause: cause})
}

// missing adds a reference to a row that does not exist.
func (f *faults) missing(path, format string, args ...any) {
	f.add(path, validation.RuleRequired, ErrNotFound, format, args...)
}

func (f *faults) key(path, key string) {
	if broken := textrules.CheckKey(key); broken != "" {
		f.add(path, validation.RuleKeyFormat, nil, "%s", broken)
	}
}

func (f *faults) externalID(path, id string) {
	broken := textrules.Check(id, textrules.MaxKeyBytes)
	switch {
	case id == "":
		broken = "is required"
	case broken == "" && strings.ContainsFunc(id, unicode.IsControl):
		broken = "has a control character"
	}
	if broken != "" {
		f.add(path, validation.RuleKeyFormat, nil, "%s", broken)
	}
}

func (f *faults) text(path, text string) {
	if broken := textrules.Check(text, maxName); broken != "" {
		f.add(path, validation.RuleTextFormat, nil, "%s", broken)
	}
}

func (f *faults) bytes(path string, b []byte, most int) {
	if len(b) > most {
		f.add(path, validation.RuleRange, nil, "has %d bytes, and may have %d", len(b), most)
	}
}

// code adds the faults of the fields of a code that can change.
func (f *faults) code(path string, c Code) {
	if c.Slot < 0 || c.Slot > devicerow.MaxSlot {
		f.add(path+"slot", validation.RuleRange, nil, "must be from 0 to %d", devicerow.MaxSlot)
	}
	if !c.EndsAt.IsZero() && !c.EndsAt.After(c.StartsAt) {
		f.add(path+"ends_at", validation.RuleTimeOrder, nil, "must be after starts_at")
	}
	f.bytes(path+"sealed_pin", c.SealedPIN, maxSealed)
	f.bytes(path+"details", c.Details, maxDetails)
}

// err returns a [validation.Error] if there is a fault.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &validation.Error{Faults: f.list}
}
