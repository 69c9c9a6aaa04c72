package web

import (
	"cmp"
	"errors"
	"math"
	"strconv"
	"strings"

	"golang.org/x/text/number"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// climateForm is the content of the page with the settings of a thermostat.
type climateForm struct {
	*form
	Row        deviceRow
	Modes      []choice // empty if the mode cannot be set
	Fans       []choice
	Heat, Cool bool // the thermostat has the set point
	Back       string
}

// choice is an option of a select element.
type choice struct {
	Value, Label string
	Chosen       bool
}

// climateFields are the fields of the form, in the order of the page.
var climateFields = []fieldSpec{
	{"mode", "device.mode"}, {"heating_set_point", "climate.heat"}, {"cooling_set_point", "climate.cool"}, {"fan_mode", "device.fan"},
}

// thermostat returns the device of the page. It returns an error if the portal does not allow its settings to change.
func (x *exchange) thermostat() (d access.Device, related portal.Related, err error) {
	id, err := x.askedDevice()
	if err == nil {
		err = x.session.Can(portal.ActionControlDevice)
	}
	if err == nil {
		d, related, err = x.view.Device(x.ctx(), id)
	}
	if err == nil && (!d.Can(device.CanSetClimate) || d.Climate == nil) {
		err = errUnknownPage
	}
	return d, related, err
}

func showClimate(x *exchange) error {
	d, related, err := x.thermostat()
	if err != nil {
		return err
	}
	f := x.newForm(climateFields)
	current := map[string]string{"mode": "", "fan_mode": "", "heating_set_point": "", "cooling_set_point": ""}
	if mode, known := d.State.Mode.Get(); known {
		current["mode"] = string(mode)
	}
	if fan, known := d.State.FanMode.Get(); known {
		current["fan_mode"] = string(fan)
	}
	for name, value := range map[string]device.Optional[float64]{"heating_set_point": d.State.HeatingSetPoint, "cooling_set_point": d.State.CoolingSetPoint} {
		if t, known := value.Get(); known {
			current[name] = strconv.FormatFloat(math.Round(t*10)/10, 'f', -1, 64)
		}
	}
	f.fill(current)
	return x.showClimateForm(f, d, related)
}

func (x *exchange) showClimateForm(f *form, d access.Device, related portal.Related) error {
	f.creates = true
	out := climateForm{form: f, Row: x.newDeviceRow(d, related, false), Heat: d.Climate.Heating != nil, Cool: d.Climate.Cooling != nil}
	out.Back = out.Row.Path
	keep := func(value string) []choice {
		return []choice{{"", x.text("climate.keep"), value == ""}}
	}
	if len(d.Climate.Modes) > 0 {
		out.Modes = keep(f.Values["mode"])
	}
	for _, m := range d.Climate.Modes {
		out.Modes = append(out.Modes, choice{string(m), x.text("mode." + string(m)), f.Values["mode"] == string(m)})
	}
	if len(d.Climate.FanModes) > 0 {
		out.Fans = keep(f.Values["fan_mode"])
	}
	for _, m := range d.Climate.FanModes {
		out.Fans = append(out.Fans, choice{string(m), x.text("fan." + string(m)), f.Values["fan_mode"] == string(m)})
	}
	title := "climate.title"
	x.render(f.status(), "climate", title, out, "name", d.Name)
	return nil
}

func saveClimate(x *exchange) error {
	var d access.Device
	var related portal.Related
	err := x.inView(func() (err error) {
		d, related, err = x.thermostat()
		return err
	})
	if err != nil {
		return err
	}
	f := x.postedForm(climateFields)
	f.readToken(x)
	for _, s := range climateFields {
		f.fingerprints[s.name] = x.r.PostForm.Get(fingerprintPrefix + s.name)
	}
	again := func() error { return x.inView(func() error { return x.showClimateForm(f, d, related) }) }
	if x.isRedraw(f) {
		return again()
	}
	climate := f.climate(x, *d.Climate)
	if f.HasFaults() {
		return again()
	}
	err = x.sendCommand(d.ID, device.Command{Kind: device.SetClimate, Climate: climate}, f.token)
	var invalid *validation.Error
	switch {
	case errors.Is(err, access.ErrTooManyAttempts):
		f.Faults["form"] = x.text(failBusy)
	case errors.As(err, &invalid) && f.token != "":
		for _, fault := range invalid.Faults {
			name, of := strings.CutPrefix(fault.Path, "command.climate.")
			if !of {
				name = "form"
			}
			f.Faults[name] = x.text("climate.unfit")
		}
	default:
		return err
	}
	return again()
}

// climate returns the settings that the visitor changed. It adds a fault to each field with an invalid value. If both set points are
// known and one of them changes, it returns both, so that the distance between them is checked.
func (f *form) climate(x *exchange, limits device.ClimateLimits) (out device.Climate) {
	changed := func(name string) bool {
		return f.Values[name] != "" && fingerprint(f.Values[name]) != f.fingerprints[name]
	}
	if changed("mode") {
		out.Mode = device.Known(device.HVACMode(f.Values["mode"]))
	}
	if changed("fan_mode") {
		out.FanMode = device.Known(device.FanMode(f.Values["fan_mode"]))
	}
	heat, cool := f.setPoint(x, "heating_set_point", limits.Heating), f.setPoint(x, "cooling_set_point", limits.Cooling)
	if changed("heating_set_point") || changed("cooling_set_point") {
		out.HeatingSetPoint, out.CoolingSetPoint = heat, cool
	}
	if f.HasFaults() {
		return out
	}
	low, heats := out.HeatingSetPoint.Get()
	high, cools := out.CoolingSetPoint.Get()
	switch {
	case out == device.Climate{}:
		f.Faults["form"] = x.text("climate.nothing")
	case heats && cools && high-low < limits.MinDelta:
		f.Faults["cooling_set_point"] = x.text("climate.delta", "n", x.localizer.printer.Sprint(number.Decimal(limits.MinDelta)))
	}
	return out
}

// setPoint parses a set point. It adds a fault if it is not a number in the range. A zero range has no bounds.
func (f *form) setPoint(x *exchange, name string, limits *device.Range) (none device.Optional[float64]) {
	if f.Values[name] == "" || limits == nil {
		return none
	}
	t, err := strconv.ParseFloat(strings.ReplaceAll(f.Values[name], ",", "."), 64)
	switch {
	case err != nil || math.IsNaN(t) || math.IsInf(t, 0):
		f.Faults[name] = x.text("climate.number")
	case *limits != device.Range{} && (t < limits.Min || t > limits.Max):
		f.Faults[name] = x.text("climate.range", "min", x.localizer.printer.Sprint(number.Decimal(limits.Min)), "max", x.localizer.printer.Sprint(number.Decimal(limits.Max)))
	default:
		return device.Known(t)
	}
	return none
}

// parseOffset parses the number of devices before a page.
func parseOffset(text string) (int, error) {
	n, err := strconv.Atoi(cmp.Or(text, "0"))
	if err != nil || n < 0 || n > maxOffset {
		return 0, errUnknownPage
	}
	return n, nil
}

// maxOffset is the largest number of devices before a page.
const maxOffset = 1_000_000

// formatOffset returns the value of offsetParam, which is empty on the first page.
func formatOffset(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
