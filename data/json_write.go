package data

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/customerportal-go/customerportal/validation"
)

// MarshalJSON returns the API's object. The resources of a kind keep their order. Empty collections are omitted.
func (d CustomerData) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := jsontext.NewEncoder(&b)
	if err := writeTokens(e, jsontext.BeginObject, jsontext.String("customer_key"), jsontext.String(d.CustomerKey)); err != nil {
		return nil, err
	}
	for i := range customerFieldTable {
		if err := customerFieldTable[i].encode(e, &d); err != nil {
			return nil, err
		}
	}
	byKind := map[Kind][]*node{}
	d.nodes(func(n *node, _ Class, _ entry) bool {
		byKind[n.kind] = append(byKind[n.kind], n)
		return true
	})
	for _, row := range kinds {
		nodes := byKind[row.kind]
		if len(nodes) == 0 {
			continue
		}
		delete(byKind, row.kind)
		if err := writeTokens(e, jsontext.String(row.collection), jsontext.BeginArray); err != nil {
			return nil, err
		}
		for _, n := range nodes {
			if err := n.encode(e); err != nil {
				return nil, err
			}
		}
		if err := e.WriteToken(jsontext.EndArray); err != nil {
			return nil, err
		}
	}
	for kind := range byKind {
		return nil, fmt.Errorf("%w: unknown kind %v", validation.ErrInvalid, kind)
	}
	err := e.WriteToken(jsontext.EndObject)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// MarshalJSON returns the space as an entry of the collection of its kind.
func (s Space) MarshalJSON() ([]byte, error) { return s.node().marshal() }

// MarshalJSON returns the user identity as an entry of the collection of its kind.
func (u UserIdentity) MarshalJSON() ([]byte, error) { return u.node().marshal() }

// MarshalJSON returns the access grant as an entry of the collection of its kind.
func (g AccessGrant) MarshalJSON() ([]byte, error) { return g.node().marshal() }

func (n *node) marshal() ([]byte, error) {
	if !n.kind.valid() {
		return nil, fmt.Errorf("%w: unknown kind %v", validation.ErrInvalid, n.kind)
	}
	var b bytes.Buffer
	err := n.encode(jsontext.NewEncoder(&b))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// encode writes the key, each field that is not empty, and null for each field that the resource clears.
func (n *node) encode(e *jsontext.Encoder) error {
	if err := writeTokens(e, jsontext.BeginObject, jsontext.String(n.kind.KeyField()), jsontext.String(n.key)); err != nil {
		return err
	}
	object := "" // the object that is open in the resource
	for _, f := range fieldsOf[n.kind] {
		empty := f.value.empty(n)
		if empty && !slices.Contains(n.clear, f.name) {
			continue
		}
		parent, name := f.path()
		if object != parent {
			if err := switchObject(e, object, parent); err != nil {
				return err
			}
			object = parent
		}
		if err := e.WriteToken(jsontext.String(name)); err != nil {
			return err
		}
		if empty {
			if err := e.WriteToken(jsontext.Null); err != nil {
				return err
			}
		} else if err := f.value.encode(e, n); err != nil {
			return err
		}
	}
	if err := switchObject(e, object, ""); err != nil {
		return err
	}
	return e.WriteToken(jsontext.EndObject)
}

func switchObject(e *jsontext.Encoder, from, to string) error {
	if from != "" {
		if err := e.WriteToken(jsontext.EndObject); err != nil {
			return err
		}
	}
	if to != "" {
		return writeTokens(e, jsontext.String(to), jsontext.BeginObject)
	}
	return nil
}
