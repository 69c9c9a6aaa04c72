package web

import (
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/validation"
)

// Names of parameters and inputs of the pages that map devices.
const (
	deviceParam = "device"

	mapInput    = "map"    // a mapping to accept: the id of a device, a space, and the key of a space
	sharedInput = "shared" // the device is a shared entrance
	wasInput    = "was"    // a space to which the device was mapped when the page was made
)

// organizePage is the content of the page of devices and spaces that are to be mapped.
type organizePage struct {
	Suggested   []suggestion
	Unmapped    []access.Device // without a suggestion
	MoreDevices int             // unmapped ones that are not listed
	Without     []placeName
	MoreSpaces  int
	Closed      []closedDevice
	Incomplete  bool
}

type suggestion struct {
	access.Suggestion
	Space placeName
	Value string // of mapInput
}

// closedDevice is an entrance that no access grant opens.
type closedDevice struct {
	access.Device
	Spaces []placeName
	Values []string // of mapInput, to share it
}

// maxListed is the maximum number of unmapped devices and of spaces without a lock that the page lists, and maxMappings that of
// mappings in a form.
const (
	maxListed   = 100
	maxMappings = 1000
)

func mapValue(id uuid.UUID, spaceKey string) string { return id.String() + " " + spaceKey }

func showOrganize(x *exchange) error {
	found, err := x.view.DeviceSuggestions(x.ctx())
	if err != nil {
		return err
	}
	out := organizePage{Incomplete: found.Incomplete}
	slices.SortStableFunc(found.WithoutLock, func(a, b access.SpaceRef) int { return strings.Compare(a.Name, b.Name) })
	suggestions, without := found.Mappings[:min(maxMappings, len(found.Mappings))], found.WithoutLock[:min(maxListed, len(found.WithoutLock))]
	out.MoreSpaces = len(found.WithoutLock) - len(without)
	var keys []string
	for _, s := range suggestions {
		keys = append(keys, s.SpaceKey)
	}
	for _, s := range without {
		keys = append(keys, s.Key)
	}
	for _, d := range found.Closed {
		for _, m := range d.Mappings {
			keys = append(keys, m.SpaceKey)
		}
	}
	names, err := x.placeNames(keys)
	if err != nil {
		return err
	}
	suggested := map[uuid.UUID]bool{}
	for _, s := range suggestions {
		suggested[s.DeviceID] = true
		out.Suggested = append(out.Suggested, suggestion{s, names[s.SpaceKey], mapValue(s.DeviceID, s.SpaceKey)})
	}
	for _, s := range without {
		out.Without = append(out.Without, names[s.Key])
	}
	for _, d := range found.Unmapped {
		switch {
		case suggested[d.ID]:
		case len(out.Unmapped) == maxListed:
			out.MoreDevices++
		default:
			out.Unmapped = append(out.Unmapped, d)
		}
	}
	for _, d := range found.Closed {
		c := closedDevice{Device: d}
		for _, m := range d.Mappings {
			c.Spaces = append(c.Spaces, names[m.SpaceKey])
			c.Values = append(c.Values, mapValue(d.ID, m.SpaceKey))
		}
		out.Closed = append(out.Closed, c)
	}
	return x.renderOK("organize", "nav.organize", out)
}

// placeNames returns the names of spaces by their keys. They have the names of their sites if the spaces are of several sites.
func (x *exchange) placeNames(keys []string) (map[string]placeName, error) {
	names, sites := map[string]placeName{}, map[string]bool{}
	for chunk := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(keys))), 1000) {
		page, err := x.view.Spaces(x.ctx(), data.Query{Keys: chunk, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, s := range page.Items {
			name := placeName{Name: s.Name, Path: x.resourcePath(s.Ref())}
			if site, shown := page.Related.Space(s.ParentSiteKey); shown && s.ParentSiteKey != "" {
				name.Site, sites[site.Key] = site.Name, true
			}
			names[s.Key] = name
		}
	}
	if len(sites) < 2 {
		for key, name := range names {
			name.Site = ""
			names[key] = name
		}
	}
	return names, nil
}

// saveOrganize accepts suggestions, or shares entrances.
func saveOrganize(x *exchange) error {
	var mappings []access.DeviceMapping
	for _, value := range x.r.PostForm[mapInput] {
		device, space, ok := strings.Cut(value, " ")
		id, err := uuid.Parse(device)
		if !ok || err != nil {
			return validation.ErrInvalid
		}
		mappings = append(mappings, access.DeviceMapping{DeviceID: id, Mapping: access.Mapping{SpaceKey: space, Shared: x.r.PostForm.Get(sharedInput) != ""}})
	}
	if len(mappings) == 0 {
		if err := x.session.Can(portal.ActionMapDevices); err != nil {
			return err
		}
		return x.redirectTo(pageOrganize)
	}
	if _, err := x.session.MapDevices(x.ctx(), mappings...); err != nil {
		if errors.Is(err, validation.ErrInvalid) { // a device or a space was deleted since the page was made
			return portal.ErrChanged
		}
		return err
	}
	return x.redirectWithNotice(newNotice("done.assigned_devices"), pageOrganize)
}

// mapPage is the content of the page that assigns one device.
type mapPage struct {
	*form
	Device access.Device
	Shared bool
	Was    []string
	Back   string
}

var mapFields = []fieldSpec{{spacesField, "organize.places"}}

// mappableDevice returns the device in the query.
func (x *exchange) mappableDevice() (access.Device, error) {
	if err := x.session.Can(portal.ActionMapDevices); err != nil {
		return access.Device{}, err
	}
	id, err := uuid.Parse(x.r.URL.Query().Get(deviceParam))
	if err != nil {
		return access.Device{}, access.ErrDeviceNotFound
	}
	return x.view.MappableDevice(x.ctx(), id)
}

func showMapDevice(x *exchange) error {
	d, err := x.mappableDevice()
	if err != nil {
		return err
	}
	f := x.newForm(mapFields)
	var was []string
	shared := false
	for _, m := range d.Mappings {
		was, shared = append(was, m.SpaceKey), shared || m.Shared
	}
	f.Values[spacesField] = joinKeys(was)
	return x.renderMapDevice(f, d, shared, was)
}

func (x *exchange) renderMapDevice(f *form, d access.Device, shared bool, was []string) (err error) {
	if f.Spaces, err = x.spacePickerOf(x.ctx(), data.Kinds(data.ClassSpace), splitKeys(f.Values[spacesField]), f.Spaces.Find); err != nil {
		return err
	}
	status := f.status()
	x.render(status, "mapdevice", "organize.device", mapPage{f, d, shared, was, x.link(pageOrganize)}, "name", d.Name)
	return nil
}

// saveMapDevice changes only the mappings that the visitor changed, and those that are shared or no longer shared.
func saveMapDevice(x *exchange) error {
	var d access.Device
	f := x.postedForm(mapFields)
	was, shared := x.r.PostForm[wasInput], x.r.PostForm.Get(sharedInput) != ""
	err := x.inView(func() (err error) {
		if d, err = x.mappableDevice(); err != nil {
			return err
		}
		if x.isRedraw(f) {
			return x.renderMapDevice(f, d, shared, was)
		}
		return nil
	})
	if err != nil || x.answered() {
		return err
	}
	var add, remove []access.DeviceMapping
	chosen := splitKeys(f.Values[spacesField])
	for _, key := range chosen {
		at := slices.IndexFunc(d.Mappings, func(m access.Mapping) bool { return m.SpaceKey == key })
		if at < 0 && !slices.Contains(was, key) || at >= 0 && d.Mappings[at].Shared != shared {
			add = append(add, access.DeviceMapping{DeviceID: d.ID, Mapping: access.Mapping{SpaceKey: key, Shared: shared}})
		}
	}
	for _, key := range was {
		if !slices.Contains(chosen, key) {
			remove = append(remove, access.DeviceMapping{DeviceID: d.ID, Mapping: access.Mapping{SpaceKey: key}})
		}
	}
	codes := 0
	if len(add) > 0 {
		removed, err := x.session.MapDevices(x.ctx(), add...)
		if err != nil {
			if err := f.addFaults(x, err, nil); err != nil {
				return err
			}
			return x.inView(func() error { return x.renderMapDevice(f, d, shared, was) })
		}
		codes += len(removed)
	}
	if len(remove) > 0 {
		removed, err := x.session.UnmapDevices(x.ctx(), remove...)
		if err != nil {
			return err
		}
		codes += len(removed)
	}
	key := "done.assigned_device"
	if codes > 0 {
		key = "done.assigned_device_codes"
	}
	return x.redirectWithNotice(newNotice(key, "name", d.Name), pageOrganize)
}
