package data

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/samber/lo"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/validation"
)

// devicesField is device_ids: the devices that an access grant names. A push replaces the list.
type devicesField struct{}

func (devicesField) empty(n *node) bool { return len(n.devices) == 0 }

func (devicesField) clear(n *node) { n.devices = nil }

func (devicesField) merge(dst, patch *node) { dst.devices = lo.Uniq(patch.devices) }

func (devicesField) check(n *node, name string, report reporter) {
	if len(n.devices) > maxRefs {
		report("."+name, validation.RuleTooMany, "at most %d devices", maxRefs)
	}
	for i, id := range n.devices {
		if id == uuid.Nil {
			report(fmt.Sprintf(".%s[%d]", name, i), validation.RuleFormat, "is the nil UUID, which is the id of no device")
		}
	}
}

func (devicesField) encode(e *jsontext.Encoder, n *node) error {
	tokens := []jsontext.Token{jsontext.BeginArray}
	for _, id := range n.devices {
		tokens = append(tokens, jsontext.String(id.String()))
	}
	return writeTokens(e, append(tokens, jsontext.EndArray)...)
}

func (devicesField) decode(d *jsonReader, n *node, report reporter) error {
	tooMany := false
	return d.array(report, func(i int) error {
		part := under(fmt.Sprintf("[%d]", i), report)
		if len(n.devices) >= maxRefs {
			if !tooMany {
				part("", validation.RuleTooMany, "at most %d devices", maxRefs)
			}
			tooMany = true
			return d.Skip()
		}
		text, err := d.text(part)
		if err != nil {
			return err
		}
		id, err := uuid.Parse(text)
		if err != nil || len(text) != len(uuid.Nil.String()) {
			part("", validation.RuleFormat, "is not a UUID")
			return nil
		}
		if !slices.Contains(n.devices, id) {
			n.devices = append(n.devices, id)
		}
		return nil
	})
}

func (devicesField) append(b []byte, n *node) []byte {
	for _, id := range n.devices {
		b = append(b, id[:]...)
	}
	return b
}

func (devicesField) parse(d *layout.Decoder, n *node) {
	for d.More() {
		n.devices = append(n.devices, d.UUID())
	}
}
