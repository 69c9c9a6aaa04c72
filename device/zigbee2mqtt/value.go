package zigbee2mqtt

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/customerportal-go/customerportal/device"
)

// The decoders accept values of any type. A value of the wrong type is unknown and does not affect others.

// object decodes a JSON object, or returns nil.
func object(payload []byte) map[string]any {
	var m map[string]any
	if json.Unmarshal(payload, &m) != nil {
		return nil
	}
	return m
}

func asObject(v any) map[string]any { m, _ := v.(map[string]any); return m }
func asList(v any) []any            { l, _ := v.([]any); return l }
func asText(v any) string           { s, _ := v.(string); return s }

// asNumber returns a finite number, also if it is written as a text.
func asNumber(v any) (float64, bool) {
	n, ok := v.(float64)
	if s, isText := v.(string); isText {
		var err error
		n, err = strconv.ParseFloat(strings.TrimSpace(s), 64)
		ok = err == nil
	}
	return n, ok && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// asInteger returns an integer of at most nine digits.
func asInteger(v any) (int, bool) {
	n, ok := asNumber(v)
	return int(n), ok && n == math.Trunc(n) && math.Abs(n) < 1e9
}

// asBool returns a truth value: a JSON boolean, or the values of Zigbee2MQTT and of Home Assistant in any case.
func asBool(v any) device.Optional[bool] {
	switch v := v.(type) {
	case bool:
		return device.Known(v)
	case string:
		switch strings.ToLower(v) {
		case "true", "on":
			return device.Known(true)
		case "false", "off":
			return device.Known(false)
		}
	}
	return device.Optional[bool]{}
}

// scalar returns a text, number or boolean as a text, for comparisons.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return ""
}

// number returns a number within bounds, or unknown.
func number(v any, min, max float64) device.Optional[float64] {
	if n, ok := asNumber(v); ok && n >= min && n <= max {
		return device.Known(n)
	}
	return device.Optional[float64]{}
}

// percent returns a percentage as a number from 0 to 1.
func percent(v any) device.Optional[float64] {
	if n, ok := number(v, 0, 100).Get(); ok {
		return device.Known(n / 100)
	}
	return device.Optional[float64]{}
}

// celsius returns a temperature in °C.
func celsius(v any, fahrenheit bool) device.Optional[float64] {
	n, ok := asNumber(v)
	if !ok {
		return device.Optional[float64]{}
	}
	if fahrenheit {
		n = (n - 32) / 1.8
	}
	return number(math.Round(n*100)/100, -100, 200)
}

// asTime returns the time of last_seen, in one of the formats of Zigbee2MQTT, or zero.
func asTime(v any) time.Time {
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339, s); err == nil && t.Year() >= 2000 && t.Year() < 2200 {
			return t.UTC()
		}
		return time.Time{}
	}
	if n, ok := asNumber(v); ok && n > 946684800e3 && n < 7258118400e3 {
		return time.UnixMilli(int64(n)).UTC()
	}
	return time.Time{}
}
