package web

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// The catalog keys of the advice for devices that do not work.
const (
	failOffline  = "fail.offline"
	failUnsure   = "fail.unsure"
	failRefused  = "fail.refused"
	failAccount  = "fail.account"
	failProvider = "fail.provider"
	failGone     = "fail.gone"
	failBusy     = "fail.busy"
	failBattery  = "fail.battery"
)

// failTexts are the catalog keys of the advice after an action attempt that failed.
var failTexts = map[access.ErrorType]string{
	access.ErrorDeviceOffline: failOffline, access.ErrorNotConfirmed: failUnsure, access.ErrorTimedOut: failUnsure,
	access.ErrorRejected: failRefused, access.ErrorUnsupported: failRefused, access.ErrorAccountLost: failAccount,
	access.ErrorDeviceNotFound: failGone, access.ErrorProvider: failProvider,
}

const (
	// commandWait is the time for which a request waits for the result of a command. If there is none then, the page of the device
	// loads itself again every refreshSeconds.
	commandWait    = 4 * time.Second
	refreshSeconds = 2

	// refreshAfter is the time after the deadline of an action attempt for which the page still loads itself again.
	refreshAfter = time.Minute

	attemptParam = "attempt"
)

// commandPage is the content of the page that asks before a lock is locked or unlocked.
type commandPage struct {
	Row     deviceRow
	Text    string
	Confirm portal.Confirmation // of the host; its texts may be empty
	Button  string
	Token   string
	Fault   string
}

// askedCommand returns the device and the command in the query.
func (x *exchange) askedCommand() (uuid.UUID, device.CommandKind, error) {
	id, err := x.askedDevice()
	kind := device.CommandKind(x.r.URL.Query().Get("do"))
	if err == nil && kind != device.Lock && kind != device.Unlock {
		err = errUnknownPage
	}
	return id, kind, err
}

func showCommand(x *exchange) error { return x.showCommandPage("") }

// showCommandPage responds with the page that asks before a command. fault is the reason for which it was not sent, or "".
func (x *exchange) showCommandPage(fault string) error {
	id, kind, err := x.askedCommand()
	if err == nil {
		err = x.session.Can(portal.ActionControlDevice)
	}
	if err != nil {
		return err
	}
	d, related, err := x.view.Device(x.ctx(), id)
	if err != nil {
		return err
	}
	needs := map[device.CommandKind]device.Capability{device.Lock: device.CanLock, device.Unlock: device.CanUnlock}[kind]
	if !d.Can(needs) {
		return errUnknownPage
	}
	out := commandPage{
		Row: x.newDeviceRow(d, related, false), Confirm: x.config().Features.Manage.DeviceManagementConfirmation, Token: rand.Text(), Fault: fault,
	}
	title := "command.lock_title"
	out.Text, out.Button = x.text("command.lock_text"), x.text("command.lock")
	if kind == device.Unlock {
		title = "command.unlock_title"
		out.Text, out.Button = x.text("command.unlock_text"), x.text("command.unlock")
	}
	out.Text, out.Button = cmp.Or(out.Confirm.Body, out.Text), cmp.Or(out.Confirm.ConfirmButtonLabel, out.Button)
	status := http.StatusOK
	if fault != "" {
		status = http.StatusTooManyRequests
	}
	x.render(status, "command", title, out, "name", d.Name)
	return nil
}

func saveCommand(x *exchange) error {
	id, kind, err := x.askedCommand()
	if err != nil {
		return err
	}
	err = x.sendCommand(id, device.Command{Kind: kind}, x.r.PostForm.Get(tokenField))
	if errors.Is(err, access.ErrTooManyAttempts) {
		return x.inView(func() error { return x.showCommandPage(x.text(failBusy)) })
	}
	return err
}

// sendCommand sends a command, waits a short time for its result, and redirects to the page of the device, which shows the result.
// No transaction is open while it waits.
func (x *exchange) sendCommand(id uuid.UUID, command device.Command, token string) error {
	a, err := x.session.ControlDevice(x.ctx(), id, command, token)
	if err != nil {
		return err
	}
	if _, err := x.session.WaitForAttempt(x.ctx(), a.ID, commandWait); err != nil {
		return err
	}
	return x.redirectTo(pageDevice, "id", id.String(), attemptParam, a.ID.String())
}

// attemptResult is the result of a command in words.
type attemptResult struct {
	Command string
	Text    string
	Detail  string // of the device or its provider, in English; "" if there is none
	Class   string // of the notice
	Failed  bool
	Again   string // path of the page on which the visitor can try again; "" if that does not help
}

// attemptResult returns the result of the action attempt in the query. It returns nil if the query has none, and if it is one of
// another device.
func (x *exchange) attemptResult(d access.Device) (*attemptResult, error) {
	a, err := x.askedAttempt()
	if err != nil || a == nil || a.DeviceID != d.ID {
		return nil, err
	}
	out := &attemptResult{}
	switch a.Command.Kind {
	case device.Lock:
		out.Command = x.text("command.lock")
	case device.Unlock:
		out.Command = x.text("command.unlock")
	default:
		out.Command = x.text("command.climate")
	}
	if out.Text, out.Class = x.attemptText(a, x.text(failUnsure), x.text("attempt.confirmed"), x.text("attempt.accepted")); out.Text == "" {
		out.Failed = true
		out.Text = x.text(failTexts[a.Error.Type])
		if slices.Contains([]access.ErrorType{access.ErrorRejected, access.ErrorProvider}, a.Error.Type) {
			out.Detail = a.Error.Message
		}
		if x.can(portal.ActionControlDevice) && a.Error.Type != access.ErrorDeviceNotFound {
			out.Again = x.link(pageCommand, "id", d.ID.String(), "do", string(a.Command.Kind))
			if a.Command.Kind == device.SetClimate {
				out.Again = x.link(pageClimate, "id", d.ID.String())
			}
		}
	}
	return out, nil
}

// askedAttempt returns the action attempt in the query, or nil if the query names none that the portal shows.
func (x *exchange) askedAttempt() (*access.ActionAttempt, error) {
	id, err := uuid.Parse(x.r.URL.Query().Get(attemptParam))
	if err != nil {
		return nil, nil
	}
	a, err := x.view.ActionAttempt(x.ctx(), id)
	if errors.Is(err, access.ErrNotFound) {
		return nil, nil
	}
	return &a, err
}

// attemptText returns the text and the class of the notice about an action attempt, of the texts for a result that is not known and
// for a confirmed and an accepted command. The text is "" if the attempt has failed. While it is pending, the page loads
// itself again.
func (x *exchange) attemptText(a *access.ActionAttempt, unsure, confirmed, accepted string) (text, class string) {
	switch {
	case a.Status == access.AttemptPending && x.h.db.Now().After(a.Deadline.Add(refreshAfter)):
		return unsure, "warn"
	case a.Status == access.AttemptPending:
		x.w.Header().Set("Refresh", strconv.Itoa(refreshSeconds))
		return x.text("attempt.pending"), ""
	case a.Status == access.AttemptSuccess && a.Confirmed:
		return confirmed, "done"
	case a.Status == access.AttemptSuccess:
		return accepted, "warn"
	}
	return "", "fault"
}

// addDeviceAttention adds the devices of the site and the accounts that need attention to the page, and the spaces without a lock
// among those that it has read.
func (t *today) addDeviceAttention(out *todayPage) error {
	x := t.x
	if !x.can(portal.ActionReadDevices) {
		return nil
	}
	page, err := x.view.DeviceAttention(x.ctx(), t.site, attentionLimit)
	if err != nil {
		return err
	}
	for _, line := range []struct {
		of   access.AttentionType
		text string
	}{
		{access.AttentionCodeNotSet, x.text("start.devices.codeunset")},
		{access.AttentionCodeNotRemoved, x.text("start.devices.removal")},
		{access.AttentionAccountDisconnected, x.text("start.devices.account")},
		{access.AttentionDeviceOffline, x.text("start.devices.offline")},
		{access.AttentionDeviceMissing, x.text("start.devices.missing")},
		{access.AttentionLowBattery, x.text("start.devices.battery")},
		{access.AttentionRemovalOverdue, x.text("start.devices.removal")},
	} {
		a := attention{Text: line.text, Path: x.link(pageDevices)}
		if line.of == access.AttentionAccountDisconnected {
			a.Path = x.link(pageAccounts)
		}
		for _, item := range page.Items {
			if item.Type != line.of {
				continue
			}
			if len(a.Names) == maxNames {
				a.More++
				continue
			}
			to := placeName{Name: cmp.Or(item.Name, x.text("device.unknown")), Path: a.Path}
			if len(item.Spaces) > 0 {
				s, _ := page.Related.Space(item.Spaces[0].Key)
				to.Site = t.siteOf(s)
			}
			if item.Name != "" && item.DeviceID != uuid.Nil {
				to.Path = x.link(pageDevice, "id", item.DeviceID.String())
			}
			a.Names = append(a.Names, to)
		}
		if len(a.Names) > 0 {
			out.Attention = append(out.Attention, a)
		}
	}
	return t.addLocklessSpaces(out)
}

// attentionLimit is the number of devices and accounts that the start page mentions or counts.
const attentionLimit = 100

// addLocklessSpaces adds the spaces without a lock, if there are devices.
func (t *today) addLocklessSpaces(out *todayPage) error {
	x := t.x
	if len(t.rooms) == 0 {
		return nil
	}
	locked, complete, err := x.view.LockedSpaces(x.ctx())
	if err != nil || locked == nil || !complete {
		return err
	}
	a := attention{Text: x.text("start.devices.lockless"), Path: x.link(pageSpaces, "view", "all")}
	for _, s := range t.rooms {
		switch {
		case locked[s.Key]:
		case len(a.Names) == maxNames:
			a.More++
		default:
			a.Names = append(a.Names, placeName{s.Name, x.resourcePath(s.Ref()), t.siteOf(s)})
		}
	}
	if len(a.Names) > 0 {
		out.Attention = append(out.Attention, a)
	}
	return nil
}
