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

// Each case pushes another value for one field of an open form, and posts the form with another field changed, or with
// none.
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
					f, b, _ := setupInn(t, portal.Config{})
					form := formValues(t, b.get(b.home+path))
					f.pushResources(t, pushed.pushed)
					if typed.name != "" {
						form[typed.name] = typed.typed
					}
					a := b.submit(b.home+path, form)
					require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
					require.Equal(t, pushed.wantPushed, pushed.stored(t, f), "what was pushed stays")
					if typed.name != "" {
						require.Equal(t, typed.wantTyped, typed.stored(t, f), "what was typed is saved")
					}
				})
			}
		}
	}
}

func TestForms_NothingChanged_WritesNothing(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	before, err := f.ws().Export(t.Context(), "acme")
	require.NoError(t, err)
	for path := range editForms() {
		require.Equal(t, http.StatusSeeOther, b.submit(b.home+path, formValues(t, b.get(b.home+path))).StatusCode, path)
	}
	after, err := f.ws().Export(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// Each case changes one field on both sides, and then chooses each of the two values.
func TestForms_SameFieldPushedMeanwhile_AsksWhichToKeep(t *testing.T) {
	t.Parallel()
	for path, fields := range editForms() {
		for _, field := range fields {
			t.Run(path+": "+field.name, func(t *testing.T) {
				t.Parallel()
				for _, choice := range []string{"current", "typed"} {
					f, b, _ := setupInn(t, portal.Config{})
					form := formValues(t, b.get(b.home+path))
					form[field.name] = field.typed
					f.pushResources(t, field.pushed)
					stored := f.export(t)
					a := b.submit(b.home+path, form)
					require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
					require.Contains(t, a.body, "Somebody else changed this too")
					require.Equal(t, stored, f.export(t), "nothing is written")

					// Without a choice, the page asks again.
					kept := formValues(t, a)
					a = b.submit(b.home+path, kept)
					require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
					require.Equal(t, stored, f.export(t), "nothing is written")

					decided := formValues(t, a)
					chosen := regexp.MustCompile(`name="(choose\.[^"]*)"`).FindStringSubmatch(a.body)
					require.NotNil(t, chosen, a.body)
					decided.Set(chosen[1], choice)
					a = b.submit(b.home+path, decided)
					require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
					if choice == "current" {
						require.Equal(t, field.wantPushed, field.stored(t, f))
						require.Equal(t, stored, f.export(t))
						continue
					}
					require.Equal(t, field.wantTyped, field.stored(t, f))
				}
			})
		}
	}
}

// A third value is pushed while the conflict page is open.
func TestForms_ConflictChangesAgain_AsksAgain(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	path := b.home + "reservations/edit?key=b1"
	form := withValues(formValues(t, b.get(path)), "name", "Typed", "preferred_code", "5555")
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Pushed", EndsAt: at(25, 11)})
	a := b.submit(path, form)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Pushed")
	require.Contains(t, a.body, "Typed")
	require.NotContains(t, a.body, "choose.ends_at", "only what both changed is asked")
	require.NotContains(t, a.body, "choose.preferred_code", "only what both changed is asked")
	decided := withValues(formValues(t, a), "choose.name", "typed")
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Third"})
	a = b.submit(path, decided)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.body, "Third")

	// The way back to the form keeps the typed values, which can then be saved.
	a = b.submit(path, withValues(formValues(t, a), "revise", "1"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, "Typed", inputValues(a.body)["name"])
	require.Equal(t, "5555", inputValues(a.body)["preferred_code"])
	require.Equal(t, "2026-03-25T11:00", inputValues(a.body)["ends_at"], "a field that was not touched is as it is now")
	require.Equal(t, http.StatusSeeOther, b.submit(path, withValues(formValues(t, a), "name", "A third value")).StatusCode)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, []any{"A third value", "5555", at(25, 11)}, []any{g.Name, g.PreferredCode, g.EndsAt})
}

func TestForms_SameValueTypedTwice_IsSaved(t *testing.T) {
	t.Parallel()
	for path, fields := range editForms() {
		f, b, _ := setupInn(t, portal.Config{})
		first, second := formValues(t, b.get(b.home+path)), formValues(t, b.get(b.home+path)) // two tabs, or a double click
		for _, field := range fields {
			first[field.name], second[field.name] = field.typed, field.typed
		}
		a := b.submit(b.home+path, first)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, path)
		stored, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		again := b.submit(b.home+path, second)
		require.Equal(t, a.StatusCode, again.StatusCode, path)
		require.Equal(t, a.Header.Get("Location"), again.Header.Get("Location"), path)
		after, err := f.ws().Export(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, stored, after, "%s: the second changes nothing", path)
	}
}

func TestSettingsForm_SettingChangedMeanwhile_IsKeptOrAConflict(t *testing.T) {
	t.Parallel()
	_, b, settings := setupInn(t, portal.Config{})
	path := b.home + "configure"
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
	form := formValues(t, b.get(path))
	set("mobile", "true")
	form.Set("setting:early", "30")
	form.Del("setting:eco")
	require.Equal(t, http.StatusSeeOther, b.submit(path, form).StatusCode)
	require.Equal(t, map[string]string{"early": "30", "eco": "false", "mobile": "true"}, read(), "a setting that was not touched is not set back")

	form = formValues(t, b.get(path))
	set("early", "60")
	form.Set("setting:early", "0")
	a := b.submit(path, form)
	require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
	require.Contains(t, a.body, "One hour")
	require.Contains(t, a.body, "Not at all")
	require.Equal(t, "60", read()["early"])
	require.Equal(t, http.StatusSeeOther, b.submit(path, withValues(formValues(t, a), "choose.setting:early", "typed")).StatusCode)
	require.Equal(t, map[string]string{"early": "0", "eco": "false", "mobile": "true"}, read())
}

// A push only warns of these values, whereas a form refuses them.
func TestForms_StoredValueIsInvalid_OtherFieldsCanBeEdited(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	eve := data.StaffMember("eve", "Eve", data.Refs(data.KindRoom, "101")...)
	eve.EmailAddress = "s.@docomo.ne.jp"
	f.pushResources(t, eve, data.AccessGrant{Kind: data.KindBooking, Key: "b1", PreferredCode: "123"})
	for path, field := range map[string]string{"staff/edit?key=eve": "phone_number", "reservations/edit?key=b1": "name"} {
		a := b.submit(b.home+path, withValues(formValues(t, b.get(b.home+path)), field, "5"))
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
	}
	u, err := f.ws().UserIdentity(t.Context(), "eve")
	require.NoError(t, err)
	require.Equal(t, []string{"s.@docomo.ne.jp", "5"}, []string{u.EmailAddress, u.PhoneNumber})
}

// The values that a new reservation needs cannot be cleared: without its end, for example, access would never end. A
// lease needs no end. An imported reservation without these values can still be edited.
func TestEditReservation_RequiredFieldCleared_IsRefused(t *testing.T) {
	t.Parallel()
	for vertical, required := range map[portal.Vertical][]string{
		portal.VerticalHospitality: {"starts_at", "ends_at", "spaces"},
		portal.VerticalMultiFamily: {"starts_at", "spaces"},
	} {
		f, b, _ := setupInn(t, portal.Config{})
		_, err := f.portals.UpdateSettings(t.Context(), f.ws(), func(s *portal.Settings) error {
			s.BusinessVertical = vertical
			return nil
		})
		require.NoError(t, err)
		path := b.home + "reservations/edit?key=b1"
		stored := f.export(t)
		form := formValues(t, b.get(path))
		for _, field := range required {
			cleared := maps.Clone(form)
			if field == "spaces" {
				cleared.Del("space")
			} else {
				cleared.Set(field, "")
			}
			a := b.submit(path, cleared)
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s: %s", vertical, field)
			require.Regexp(t, `<a href="#f-`+field+`">[^<]*: Please fill this in\.`, a.body, "%s: %s", vertical, field)
			require.Equal(t, stored, f.export(t), "%s: %s", vertical, field)
		}

		f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "open", Name: "Open"})
		path = b.home + "reservations/edit?key=open"
		require.Equal(t, http.StatusSeeOther, b.submit(path, withValues(formValues(t, b.get(path)), "name", "Renamed")).StatusCode, vertical)
		if vertical == portal.VerticalMultiFamily {
			path = b.home + "reservations/edit?key=b1"
			require.Equal(t, http.StatusSeeOther, b.submit(path, withValues(formValues(t, b.get(path)), "ends_at", "")).StatusCode)
		}
	}
}

// The visitor changes the language after a value was pushed. The redrawn form does not show the pushed value, so it must
// not be overwritten without asking.
func TestForms_RedrawHidesConflict_AsksLater(t *testing.T) {
	t.Parallel()
	f, b, _ := setupInn(t, portal.Config{})
	path := b.home + "reservations/edit?key=b1"
	form := withValues(formValues(t, b.get(path)), "name", "Typed")
	f.pushResources(t, data.AccessGrant{Kind: data.KindBooking, Key: "b1", Name: "Pushed"})
	a := b.submit(path, withValues(form, "new_locale", "en-US", "set_new_locale", "1"))
	require.Equal(t, http.StatusOK, a.StatusCode)
	a = b.submit(path, formValues(t, a))
	require.Equal(t, http.StatusConflict, a.StatusCode, a.body)
	a = b.submit(path, withValues(formValues(t, a), "new_locale", "de-DE", "set_new_locale", "1"))
	require.Equal(t, http.StatusConflict, a.StatusCode, "the page of the conflict in another language")
	require.Contains(t, a.body, `<html lang="de-DE">`)
	g, err := f.ws().AccessGrant(t.Context(), "b1")
	require.NoError(t, err)
	require.Equal(t, "Pushed", g.Name)
}
