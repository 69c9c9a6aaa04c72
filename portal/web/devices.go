package web

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/number"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// devicesPage is the content of the page with the list of devices, by site and space.
type devicesPage struct {
	pager
	Text string
	Rows []deviceRow
}

// deviceRow is a device with its state in words.
type deviceRow struct {
	access.Device
	Spaces     []data.Space // the visible spaces to which it is mapped
	Site       string       // of the first of them
	State      string       // of its lock and its door, or what it measures; "" if it reports nothing of it
	Alarm      bool         // State contains a leak or smoke
	Battery    string       // "" if it is not known
	LowBattery bool
	Connection string
	Trouble    string // the catalog key of the advice if it does not work; otherwise ""
	Path       string
	Actions    []rowAction
}

// offsetParam is the query parameter with the number of devices before the page.
const offsetParam = "from"

func showDevices(x *exchange) error {
	out := devicesPage{Text: x.searchText()}
	q := portal.DeviceQuery{Text: out.Text, Limit: pageLimit}
	var err error
	if q.Offset, err = parseOffset(x.r.URL.Query().Get(offsetParam)); err != nil {
		return err
	}
	page, err := x.view.Devices(x.ctx(), q)
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		out.Rows = append(out.Rows, x.newDeviceRow(d, page.Related, true))
	}
	out.Stopped = page.Stopped
	to := func(offset int) string {
		return x.link(pageDevices, searchParam, out.Text, offsetParam, formatOffset(offset))
	}
	n := len(page.Items)
	if n > 0 {
		out.Range = x.text("range", "from", q.Offset+1, "to", q.Offset+n, "n", page.Total)
	}
	if q.Offset > 0 {
		out.First, out.Previous = to(0), to(max(0, q.Offset-pageLimit))
	}
	if q.Offset+n < page.Total && n > 0 {
		out.Next = to(q.Offset + n)
	}
	return x.renderOK("devices", "nav.devices", out)
}

// newDeviceRow returns a device with its state in words. short selects the one action that changes the state of a lock.
func (x *exchange) newDeviceRow(d access.Device, related portal.Related, short bool) deviceRow {
	row := deviceRow{Device: d, Path: x.link(pageDevice, "id", d.ID.String())}
	zone := x.pageZone()
	for i, m := range d.Mappings {
		s, shown := related.Space(m.SpaceKey)
		if !shown {
			continue
		}
		if i == 0 {
			zone = x.zone(related.Place(s.Ref()))
			if site, shown := related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
				row.Site = site.Name
			}
		}
		row.Spaces = append(row.Spaces, s)
	}
	row.State, row.Alarm = x.deviceState(d)
	if level, known := d.State.Battery.Get(); known {
		row.Battery = x.percent(level)
	}
	row.LowBattery = !d.LowBatterySince.IsZero()
	row.Connection, row.Trouble = x.deviceConnection(d, zone)
	row.Actions = x.deviceActions(d, short)
	return row
}

// deviceState returns the state of the lock and the door of a device, and what it measures. It reports whether the state is an alarm.
func (x *exchange) deviceState(d access.Device) (text string, alarm bool) {
	s := d.State
	var parts []string
	pick := func(value device.Optional[bool], yes, no string) {
		if on, known := value.Get(); known && on {
			parts = append(parts, yes)
		} else if known && no != "" {
			parts = append(parts, no)
		}
	}
	pick(s.Smoke, x.text("device.smoke"), "")
	pick(s.Leak, x.text("device.leak"), "")
	alarm = len(parts) > 0
	pick(s.Locked, x.text("device.locked"), x.text("device.unlocked"))
	if d.IsLock() {
		pick(s.DoorOpen, x.text("device.opened"), x.text("device.closed"))
	} else { // a contact sensor can be that of a window
		pick(s.DoorOpen, x.text("device.open"), x.text("device.shut"))
	}
	if t, known := s.Temperature.Get(); known {
		parts = append(parts, x.celsius(t))
	}
	for _, p := range []struct {
		value device.Optional[float64]
		label string
	}{{s.HeatingSetPoint, x.text("device.heat")}, {s.CoolingSetPoint, x.text("device.cool")}} {
		if t, known := p.value.Get(); known {
			parts = append(parts, p.label+" "+x.celsius(t))
		}
	}
	if h, known := s.Humidity.Get(); known {
		parts = append(parts, x.text("device.humidity")+" "+x.percent(h))
	}
	if n, known := s.Noise.Get(); known {
		parts = append(parts, x.text("device.noise")+" "+x.localizer.printer.Sprint(number.Decimal(n, number.MaxFractionDigits(0)))+" dB")
	}
	return strings.Join(parts, " · "), alarm
}

// celsius returns a temperature with its unit.
func (x *exchange) celsius(t float64) string {
	return x.localizer.printer.Sprint(number.Decimal(t, number.MaxFractionDigits(1))) + "\u00a0°C"
}

// percent returns a share from 0 to 1 as a percentage.
func (x *exchange) percent(share float64) string {
	return x.localizer.printer.Sprint(number.Percent(share, number.MaxFractionDigits(0)))
}

// deviceConnection returns whether a device is connected, and the catalog key of the advice if it is not.
func (x *exchange) deviceConnection(d access.Device, zone *time.Location) (text, trouble string) {
	since := x.localizer.dateTime(d.OnlineSince.In(zone))
	switch {
	case !d.MissingSince.IsZero():
		return x.text("device.missing"), failGone
	case d.AccountStatus == access.AccountLost:
		return x.text("device.lost"), failAccount
	case d.AccountStatus == access.AccountUnreachable:
		return x.text("device.offline"), failProvider
	case d.State.Online.Is(true) && d.OnlineSince.IsZero():
		return x.text("device.online"), ""
	case d.State.Online.Is(true):
		return x.text("device.online_since", "when", since), ""
	case d.State.Online.Is(false) && d.OnlineSince.IsZero():
		return x.text("device.offline"), failOffline
	case d.State.Online.Is(false):
		return x.text("device.offline_since", "when", since), failOffline
	}
	return x.text("device.unknown"), ""
}

// deviceActions returns the actions that a visitor can take with a device. short omits the action that leaves a lock as it is.
func (x *exchange) deviceActions(d access.Device, short bool) (out []rowAction) {
	if !x.can(portal.ActionControlDevice) || !d.MissingSince.IsZero() {
		return nil
	}
	id := d.ID.String()
	if d.Can(device.CanUnlock) && !(short && d.State.Locked.Is(false) && d.Can(device.CanLock)) {
		out = append(out, rowAction{x.text("command.unlock"), x.link(pageCommand, "id", id, "do", string(device.Unlock))})
	}
	if d.Can(device.CanLock) && !(short && !d.State.Locked.Is(false)) {
		out = append(out, rowAction{x.text("command.lock"), x.link(pageCommand, "id", id, "do", string(device.Lock))})
	}
	if d.Can(device.CanSetClimate) {
		out = append(out, rowAction{x.text("command.climate"), x.link(pageClimate, "id", id)})
	}
	return out
}

// devicePage is the content of the page of a device.
type devicePage struct {
	deviceRow
	Shared   []data.Space // the spaces of which the device is a shared entrance
	Mode     string       // of a thermostat; "" if it is not known
	Fan      string
	Reported time.Time // when the device last reported its state, in the zone of the device; zero if that is not known
	Model    string
	Advice   []string
	Attempt  *attemptResult
	Activity []activityRow
	pager
}

// activityRow is an activity of a device in words.
type activityRow struct {
	Text string
	At   time.Time
	By   string // who or what caused it; "" if that is not known
}

const activityLimit = 20

// askedDevice returns the id of the device in the query. It returns [access.ErrDeviceNotFound] for text that is not an id.
func (x *exchange) askedDevice() (uuid.UUID, error) {
	id, err := uuid.Parse(x.r.URL.Query().Get("id"))
	if err != nil {
		return id, access.ErrDeviceNotFound
	}
	return id, nil
}

func showDevice(x *exchange) error {
	id, err := x.askedDevice()
	if err != nil {
		return err
	}
	d, related, err := x.view.Device(x.ctx(), id)
	if err != nil {
		return err
	}
	out := devicePage{deviceRow: x.newDeviceRow(d, related, false), Model: strings.TrimSpace(d.Manufacturer + " " + d.Model)}
	zone := x.pageZone()
	if len(out.Spaces) > 0 {
		zone = x.zone(related.Place(out.Spaces[0].Ref()))
	}
	for _, m := range d.Mappings {
		if s, shown := related.Space(m.SpaceKey); shown && m.Shared {
			out.Shared = append(out.Shared, s)
		}
	}
	if mode, known := d.State.Mode.Get(); known {
		out.Mode = x.text("mode." + string(mode))
	}
	if fan, known := d.State.FanMode.Get(); known {
		out.Fan = x.text("fan." + string(fan))
	}
	if !d.StateAt.IsZero() {
		out.Reported = d.StateAt.In(zone)
	}
	if out.Attempt, err = x.attemptResult(d); err != nil {
		return err
	}
	if out.Trouble != "" {
		if advice := x.text(out.Trouble); out.Attempt == nil || out.Attempt.Text != advice {
			out.Advice = append(out.Advice, advice)
		}
	}
	if out.LowBattery {
		out.Advice = append(out.Advice, x.text(failBattery))
	}
	cursor := x.r.URL.Query().Get(cursorParam)
	page, err := x.view.DeviceActivity(x.ctx(), id, activityLimit, cursor)
	if err != nil {
		return err
	}
	for _, a := range page.Items {
		out.Activity = append(out.Activity, x.activityRow(d, a, zone))
	}
	if cursor != "" {
		out.First = out.Path
	}
	if page.Next != "" {
		out.Next = x.link(pageDevice, "id", id.String(), cursorParam, page.Next)
	}
	x.render(200, "device", "space.title", out, "name", d.Name)
	return nil
}

// activityRow returns an activity of a device in words.
func (x *exchange) activityRow(d access.Device, a access.Activity, zone *time.Location) activityRow {
	row := activityRow{Text: x.text("activity." + string(a.Kind)), At: a.At.In(zone)}
	switch { // a contact sensor can be that of a window
	case !d.IsLock() && a.Kind == access.ActivityDoorOpened:
		row.Text = x.text("activity.contact.opened")
	case !d.IsLock() && a.Kind == access.ActivityDoorClosed:
		row.Text = x.text("activity.contact.closed")
	}
	if row.Text == "" { // a later version of package access may have more kinds
		row.Text = string(a.Kind)
	}
	switch {
	case a.Actor != nil:
		row.By = x.actorName(*a.Actor)
	case slices.Contains(namedMethods, a.Method):
		row.By = x.text("method." + string(a.Method))
	}
	return row
}

// namedMethods are the methods of operating a lock that have a text.
var namedMethods = []device.Method{device.MethodKeypad, device.MethodManual, device.MethodRemote, device.MethodAuto}

// addDevices adds the states of devices to the rows of their spaces.
func (x *exchange) addDevices(lists ...[]spaceRow) error {
	var keys []string
	for _, rows := range lists {
		for _, row := range rows {
			keys = append(keys, row.Key)
		}
	}
	devices, err := x.devicesOf(keys...) // once, because it can read all devices of the customer
	if err != nil {
		return err
	}
	for _, rows := range lists {
		for i := range rows {
			x.addDevicesTo(&rows[i], devices[rows[i].Key])
		}
	}
	return nil
}

// addDevicesTo adds the states of devices to the row of their space.
func (x *exchange) addDevicesTo(row *spaceRow, devices []deviceRow) {
	var parts []string
	for _, d := range devices {
		if d.IsLock() && d.State != "" {
			parts = append(parts, d.State)
		}
		if d.Trouble != "" {
			parts = append(parts, x.text("device.offline"))
		}
		if d.LowBattery {
			parts = append(parts, x.text("device.battery")+" "+d.Battery)
		}
		row.Trouble = row.Trouble || d.Trouble != "" || d.LowBattery
	}
	row.Devices = strings.Join(parts, " · ")
}

// devicesOf returns the devices that are mapped to spaces, by the key of the space. It returns nil if the portal shows no devices.
func (x *exchange) devicesOf(keys ...string) (map[string][]deviceRow, error) {
	if len(keys) == 0 || !x.can(portal.ActionReadDevices) {
		return nil, nil
	}
	out := map[string][]deviceRow{}
	for q := (portal.DeviceQuery{SpaceKeys: keys, Limit: 1000}); ; q.Offset += q.Limit {
		page, err := x.view.Devices(x.ctx(), q)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Items {
			row := x.newDeviceRow(d, page.Related, true)
			for _, m := range d.Mappings {
				out[m.SpaceKey] = append(out[m.SpaceKey], row)
			}
		}
		if q.Offset+q.Limit >= page.Total {
			return out, nil
		}
	}
}
