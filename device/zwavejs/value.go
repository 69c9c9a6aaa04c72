package zwavejs

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// The decoders accept values of any type. A value of the wrong type is unknown and does not affect others.

// fields is a JSON object whose values are decoded when they are used.
type fields map[string]json.RawMessage

// object decodes a JSON object, or returns nil.
func object(text []byte) fields {
	var f fields
	if json.Unmarshal(text, &f) != nil {
		return nil
	}
	return f
}

func (f fields) object(key string) fields { return object(f[key]) }

func (f fields) list(key string) []json.RawMessage {
	var l []json.RawMessage
	if json.Unmarshal(f[key], &l) != nil {
		return nil
	}
	return l
}

func (f fields) text(key string) string {
	var s string
	if json.Unmarshal(f[key], &s) != nil {
		return ""
	}
	return s
}

// isTrue reports whether the value is true.
func (f fields) isTrue(key string) bool {
	var b bool
	return json.Unmarshal(f[key], &b) == nil && b
}

// number returns a number.
func (f fields) number(key string) (float64, bool) {
	n, ok := f.scalar(key).(float64)
	return n, ok
}

// integer returns an integer from 0 to 2^32-1.
func (f fields) integer(key string) (int, bool) {
	n, ok := f.number(key)
	if !ok || n != math.Trunc(n) || n < 0 || n > math.MaxUint32 {
		return 0, false
	}
	return int(n), true
}

// maxText bounds the texts that the driver keeps of a value, in bytes.
const maxText = 256

// scalar returns a text of at most maxText bytes, a finite number or a boolean, and otherwise nil.
func (f fields) scalar(key string) any {
	var v any
	text := f[key]
	if len(text) == 0 || text[0] == '{' || text[0] == '[' || len(text) > 6*maxText || json.Unmarshal(text, &v) != nil {
		return nil
	}
	if s, ok := v.(string); ok && len(s) > maxText {
		return nil
	}
	return v
}

// key returns the property or the property key of a value, which are texts or numbers, as a text.
func (f fields) key(name string) string {
	switch v := f.scalar(name).(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return ""
}

// time returns a time in the format of JavaScript, or zero.
func (f fields) time(key string) time.Time {
	t, err := time.Parse(time.RFC3339, f.text(key))
	if err != nil || t.Year() < 2000 || t.Year() >= 2200 {
		return time.Time{}
	}
	return t.UTC()
}

// within returns a number within bounds, or unknown.
func within(v any, min, max float64) device.Optional[float64] {
	if n, ok := v.(float64); ok && n >= min && n <= max {
		return device.Known(n)
	}
	return device.Optional[float64]{}
}

// share returns a percentage as a number from 0 to 1.
func share(v any) device.Optional[float64] {
	if n, ok := within(v, 0, 100).Get(); ok {
		return device.Known(n / 100)
	}
	return device.Optional[float64]{}
}

// celsius returns a temperature in °C.
func celsius(v any, fahrenheit bool) device.Optional[float64] {
	n, ok := v.(float64)
	if !ok {
		return device.Optional[float64]{}
	}
	if fahrenheit {
		n = (n - 32) / 1.8
	}
	return within(math.Round(n*100)/100, -100, 200)
}

func asBool(v any) device.Optional[bool] {
	if b, ok := v.(bool); ok {
		return device.Known(b)
	}
	return device.Optional[bool]{}
}

// oneOf returns true for the numbers in yes, false for the numbers in no, and otherwise unknown.
func oneOf(v any, yes, no []float64) device.Optional[bool] {
	n, ok := v.(float64)
	if !ok {
		return device.Optional[bool]{}
	}
	for _, y := range yes {
		if n == y {
			return device.Known(true)
		}
	}
	for _, m := range no {
		if n == m {
			return device.Known(false)
		}
	}
	return device.Optional[bool]{}
}
