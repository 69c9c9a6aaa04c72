package data

import (
	"github.com/go-json-experiment/json/jsontext"

	"maps"
	"slices"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/internal/textrules"
	"github.com/customerportal-go/customerportal/validation"
)

// metadataField is custom_metadata.
type metadataField struct{}

func (metadataField) empty(n *node) bool { return len(n.metadata) == 0 }

func (metadataField) clear(n *node) { n.metadata = nil }

func (metadataField) merge(dst, patch *node) {
	merged := CustomMetadata{}
	maps.Copy(merged, dst.metadata)
	for key, v := range patch.metadata {
		if v == nil || v == "" {
			delete(merged, key)
		} else {
			merged[key] = v
		}
	}
	if len(merged) == 0 {
		merged = nil
	}
	dst.metadata = merged
}

func (metadataField) check(n *node, name string, report reporter) {
	for _, key := range slices.Sorted(maps.Keys(n.metadata)) {
		checkMetadata(key, n.metadata[key], under("."+name+"."+textrules.Clip(key), report))
	}
}

func (metadataField) encode(e *jsontext.Encoder, n *node) error {
	tokens := []jsontext.Token{jsontext.BeginObject}
	for _, key := range slices.Sorted(maps.Keys(n.metadata)) {
		tokens = append(tokens, jsontext.String(key))
		switch v := n.metadata[key].(type) {
		case string:
			tokens = append(tokens, jsontext.String(v))
		case bool:
			tokens = append(tokens, jsontext.Bool(v))
		default:
			tokens = append(tokens, jsontext.Null)
		}
	}
	return writeTokens(e, append(tokens, jsontext.EndObject)...)
}

func (metadataField) decode(d *jsonReader, n *node, report reporter) error {
	n.metadata = CustomMetadata{}
	d.tooMany = false
	named := 0
	_, err := d.object(report, func(name string) error {
		if named++; named > maxMetadataPatch {
			if !d.tooMany {
				report("", validation.RuleTooMany, "at most %d keys at once", maxMetadataPatch)
			}
			d.tooMany = true
			return d.Skip()
		}
		v, ok, err := d.scalar(under("."+textrules.Clip(name), report))
		if ok {
			n.metadata[name] = v
		}
		return err
	})
	return err
}

func (metadataField) append(b []byte, n *node) []byte {
	for _, key := range slices.Sorted(maps.Keys(n.metadata)) {
		b = layout.AppendBytes(b, key)
		switch v := n.metadata[key].(type) {
		case string:
			b = layout.AppendBytes(append(b, 's'), v)
		case bool:
			if v {
				b = append(b, 't')
			} else {
				b = append(b, 'f')
			}
		default:
			b = append(b, 'n') // only in a push; differs from every stored value
		}
	}
	return b
}

func (metadataField) parse(d *layout.Decoder, n *node) {
	n.metadata = CustomMetadata{}
	for d.More() {
		key := d.String()
		switch d.Byte() {
		case 's':
			n.metadata[key] = d.String()
		case 't':
			n.metadata[key] = true
		case 'f':
			n.metadata[key] = false
		default:
			d.Fail()
		}
	}
}

func writeTokens(e *jsontext.Encoder, tokens ...jsontext.Token) error {
	for _, token := range tokens {
		if err := e.WriteToken(token); err != nil {
			return err
		}
	}
	return nil
}

// mergeMetadata returns metadata with the changes of a patch, as a push merges custom_metadata. It returns a [validation.Error] with
// paths such as "custom_metadata.floor" if the patch breaks a rule of [CustomMetadata].
func mergeMetadata(old, patch CustomMetadata) (CustomMetadata, error) {
	var found findings
	report := found.in("custom_metadata")
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		checkMetadata(key, patch[key], under("."+textrules.Clip(key), report))
	}
	merged := &node{metadata: old}
	metadataField{}.merge(merged, &node{metadata: patch})
	if len(merged.metadata) > maxMetadata {
		report("", validation.RuleTooMany, "would have %d keys; at most %d are allowed", len(merged.metadata), maxMetadata)
	}
	return merged.metadata, found.err(false)
}
