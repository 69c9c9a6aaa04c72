package web_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

// TestForms_OtherFieldPushedMeanwhile_KeepsIt opens each form, pushes another value for each
// of its fields, and sends the form with each other field changed, and with none.
func TestForms_OtherFieldPushedMeanwhile_KeepsIt(t *testing.T) {
	t.Parallel()
	for path, fields := range editForms() {
		for _, pushed := range fields {
			for _, typed := range append([]formField{{}}, fields...) {
				if typed.name == pushed.name {
					continue
				}
				t.Run(fmt.Sprintf("%s: push %s, type %s", path, pushed.name, typed.name), func(t *testing.T) {
					t.Parallel()
					f, v, _ := innAt(t, portal.Config{})
					form := sends(t, v.get(v.home+path))
					f.pushInn(t, pushed.push)
					if typed.name != "" {
						form[typed.name] = typed.typed
					}
					a := v.submit(v.home+path, form)
					require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
					require.Equal(t, pushed.host, pushed.read(t, f), "what was pushed stays")
					if typed.name != "" {
						require.Equal(t, typed.mine, typed.read(t, f), "what was typed is saved")
					}
				})
			}
		}
	}
}

// TestForms_NothingChanged_WritesNothing sends each form as it was shown.
func TestForms_NothingChanged_WritesNothing(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	before, err := f.ws().Export(t.Context(), "acme")
	require.NoError(t, err)
	for path := range editForms() {
		require.Equal(t, http.StatusSeeOther, v.submit(v.home+path, sends(t, v.get(v.home+path))).StatusCode, path)
	}
	after, err := f.ws().Export(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// TestForms_SameFieldPushedMeanwhile_AsksWhichToKeep changes each field of each form on both
// sides, and chooses each of the two values.
func TestForms_SameFieldPushedMeanwhile_AsksWhichToKeep(t *testing.T) {
	t.Parallel()
	for path, fields := range editForms() {
		for _, field := range fields {
			t.Run(path+": "+field.name, func(t *testing.T) {
				t.Parallel()
				for _, choice := range []string{"current", "typed"} {
					f, v, _ := innAt(t, portal.Config{})
					form := sends(t, v.get(v.home+path))
					form[field.name] = field.typed
					f.pushInn(t, field.push)
					stored := f.export(t)
					a := v.submit(v.home+path, form)
					require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
					require.Contains(t, a.body, "Somebody else changed this too")
					require.Equal(t, stored, f.export(t), "nothing is written")

					// Without a choice it asks again.
					kept := sends(t, a)
					a = v.submit(v.home+path, kept)
					require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
					require.Equal(t, stored, f.export(t), "nothing is written")

					decided := sends(t, a)
					chosen := regexp.MustCompile(`name="(choose\.[^"]*)"`).FindStringSubmatch(a.body)
					require.NotNil(t, chosen, a.body)
					decided.Set(chosen[1], choice)
					a = v.submit(v.home+path, decided)
					require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
					if choice == "current" {
						require.Equal(t, field.host, field.read(t, f))
						require.Equal(t, stored, f.export(t))
						continue
					}
					require.Equal(t, field.mine, field.read(t, f))
				}
			})
		}
	}
}

// TestForms_ConflictChangesAgain_AsksAgain pushes a third value while the page of a conflict
// is open.
func TestForms_ConflictChangesAgain_AsksAgain(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	path := v.home + "reservations/edit?key=b1"
	form := clone(sends(t, v.get(path)), "name", "Typed", "preferred_code", "5555")
	f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Pushed", EndsAt: at(25, 11)})
	a := v.submit(path, form)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Pushed")
	require.Contains(t, a.body, "Typed")
	require.NotContains(t, a.body, "choose.ends_at", "only what both changed is asked")
	require.NotContains(t, a.body, "choose.preferred_code", "only what both changed is asked")
	decided := clone(sends(t, a), "choose.name", "typed")
	f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Third"})
	a = v.submit(path, decided)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Third")

	// The way back to the form keeps what was typed, and saves it.
	a = v.submit(path, clone(sends(t, a), "revise", "1"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, "Typed", valuesOf(a.body)["name"])
	require.Equal(t, "5555", valuesOf(a.body)["preferred_code"])
	require.Equal(t, "2026-03-25T11:00", valuesOf(a.body)["ends_at"], "a field that was not touched is as it is now")
	require.Equal(t, http.StatusSeeOther, v.submit(path, clone(sends(t, a), "name", "A third value")).StatusCode)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, []any{"A third value", "5555", at(25, 11)}, []any{g.Name, g.PreferredCode, g.EndsAt})
}

func TestForms_BothTypedTheSame_IsSaved(t *testing.T) {
	t.Parallel()
	for path, fields := range editForms() {
		f, v, _ := innAt(t, portal.Config{})
		first, second := sends(t, v.get(v.home+path)), sends(t, v.get(v.home+path)) // two tabs, or a double click
		for _, field := range fields {
			first[field.name], second[field.name] = field.typed, field.typed
		}
		a := v.submit(v.home+path, first)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
		stored, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		b := v.submit(v.home+path, second)
		require.Equal(t, a.StatusCode, b.StatusCode, path)
		require.Equal(t, a.Header.Get("Location"), b.Header.Get("Location"), path)
		after, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, stored, after, "%s: the second changes nothing", path)
	}
}

func TestSettingsForm_ChangedMeanwhile(t *testing.T) {
	t.Parallel()
	_, v, settings := innAt(t, portal.Config{})
	path := v.home + "configure"
	read := func() map[string]string {
		all, err := settings.Settings(t.Context(), nil)
		require.NoError(t, err)
		out := map[string]string{}
		for _, s := range all {
			out[s.Name] = s.Value
		}
		return out
	}
	set := func(name, value string) {
		_, err := settings.Save(t.Context(), nil, map[string]string{name: value})
		require.NoError(t, err)
	}
	form := sends(t, v.get(path))
	set("mobile", "true")
	form.Set("setting:early", "30")
	form.Del("setting:eco")
	require.Equal(t, http.StatusSeeOther, v.submit(path, form).StatusCode)
	require.Equal(t, map[string]string{"early": "30", "eco": "false", "mobile": "true"}, read(), "a setting that was not touched is not set back")

	form = sends(t, v.get(path))
	set("early", "60")
	form.Set("setting:early", "0")
	a := v.submit(path, form)
	require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
	require.Contains(t, a.body, "One hour")
	require.Contains(t, a.body, "Not at all")
	require.Equal(t, "60", read()["early"])
	require.Equal(t, http.StatusSeeOther, v.submit(path, clone(sends(t, a), "choose.setting:early", "typed")).StatusCode)
	require.Equal(t, map[string]string{"early": "0", "eco": "false", "mobile": "true"}, read())
}

// TestForms_StoredValueThatAPushWarnsOf_DoesNotBlockOtherFields edits around values that a
// form would refuse.
func TestForms_StoredValueThatAPushWarnsOf_DoesNotBlockOtherFields(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	eve := data.StaffMember("eve", "Eve", data.Refs(data.KindRoom, "101")...)
	eve.EmailAddress = "s.@docomo.ne.jp"
	f.pushInn(t, eve, data.AccessGrant{Kind: data.KindBooking, Key: "b1", PreferredCode: "123"})
	for path, field := range map[string]string{"staff/edit?key=eve": "phone_number", "reservations/edit?key=b1": "name"} {
		a := v.submit(v.home+path, clone(sends(t, v.get(v.home+path)), field, "5"))
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	}
	u, err := f.ws().UserIdentity(t.Context(), "eve")
	require.NoError(t, err)
	require.Equal(t, []string{"s.@docomo.ne.jp", "5"}, []string{u.EmailAddress, u.PhoneNumber})
}

// TestEditReservation_RequiredFieldCleared_IsRefused clears what a new reservation must have:
// without its end, access would never end. A tenancy can be without an end, and a reservation
// that never had what is required can still be edited.
func TestEditReservation_RequiredFieldCleared_IsRefused(t *testing.T) {
	t.Parallel()
	for vertical, required := range map[portal.Vertical][]string{
		portal.VerticalHospitality: {"starts_at", "ends_at", "spaces"},
		portal.VerticalMultiFamily: {"starts_at", "spaces"},
	} {
		f, v, _ := innAt(t, portal.Config{})
		_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
			s.BusinessVertical = vertical
			return nil
		})
		require.NoError(t, err)
		path := v.home + "reservations/edit?key=b1"
		stored := f.export(t)
		form := sends(t, v.get(path))
		for _, field := range required {
			cleared := maps.Clone(form)
			if field == "spaces" {
				cleared.Del("space")
			} else {
				cleared.Set(field, "")
			}
			a := v.submit(path, cleared)
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s: %s", vertical, field)
			require.Regexp(t, `<a href="#f-`+field+`">[^<]*: This is needed\.`, a.body, "%s: %s", vertical, field)
			require.Equal(t, stored, f.export(t), "%s: %s", vertical, field)
		}

		f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "open", Name: "Open"})
		path = v.home + "reservations/edit?key=open"
		require.Equal(t, http.StatusSeeOther, v.submit(path, clone(sends(t, v.get(path)), "name", "Renamed")).StatusCode, vertical)
		if vertical == portal.VerticalMultiFamily {
			path = v.home + "reservations/edit?key=b1"
			require.Equal(t, http.StatusSeeOther, v.submit(path, clone(sends(t, v.get(path)), "ends_at", "")).StatusCode)
		}
	}
}

// TestForms_ConflictHiddenByRedraw_IsStillAsked changes the language while a value was pushed:
// the page did not show the new value, so that it may not be overwritten.
func TestForms_ConflictHiddenByRedraw_IsStillAsked(t *testing.T) {
	t.Parallel()
	f, v, _ := innAt(t, portal.Config{})
	path := v.home + "reservations/edit?key=b1"
	form := clone(sends(t, v.get(path)), "name", "Typed")
	f.pushInn(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Pushed"})
	a := v.submit(path, clone(form, "new_locale", "en-US", "set_new_locale", "1"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	a = v.submit(path, sends(t, a))
	require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
	a = v.submit(path, clone(sends(t, a), "new_locale", "de-DE", "set_new_locale", "1"))
	require.Equal(t, http.StatusConflict, a.StatusCode, "the page of the conflict in another language")
	require.Contains(t, a.body, `<html lang="de-DE">`)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, "Pushed", g.Name)
}
