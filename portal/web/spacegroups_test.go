package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/portal"
)

var groupRow = regexp.MustCompile(`<li><span>(.*?)</span>\s*<span class="actions">(.*?)</span></li>`)

// groupsOf returns the groups of a form: the text, and the buttons.
func groupsOf(body string) (out []string) {
	_, body, _ = strings.Cut(body, `<ul class="list groups">`)
	body, _, _ = strings.Cut(body, "</ul>")
	tags := regexp.MustCompile(`<span class="unseen">.*?</span>|<[^>]*>`)
	for _, found := range groupRow.FindAllStringSubmatch(strings.ReplaceAll(body, "\n", " "), -1) {
		text := strings.Join(strings.Fields(tags.ReplaceAllString(found[1], "")), " ")
		for _, button := range regexp.MustCompile(`name="(add|drop)_group"`).FindAllStringSubmatch(found[2], -1) {
			text += " +" + button[1]
		}
		out = append(out, html.UnescapeString(text))
	}
	return out
}

// setupFloors adds two floors to one site of the inn, a pool, and a colleague.
func setupFloors(t *testing.T) (*fixture, *browser) {
	t.Helper()
	f, b, _ := setupInn(t, portal.Config{})
	f.pushResources(t,
		data.Room("p201", "Room 201").In("porto"), data.Room("p202", "Suite 202").In("porto"), data.Room("p1001", "Room 1001").In("porto"), data.Room("p1002", "Room 1002").In("porto"),
		data.CommonArea("pool", "Pool 100").In("porto"), data.PropertyListing("villa", "Villa 1200"),
		data.StaffMember("zoe", "Zoe", data.Refs(data.KindRoom, "102", "p202")...),
	)
	return f, b
}

func served(t *testing.T, f *fixture, key string) (out []string) {
	t.Helper()
	u, err := f.ws().UserIdentity(t.Context(), key)
	require.NoError(t, err)
	for _, ref := range u.Spaces {
		out = append(out, ref.Key)
	}
	slices.Sort(out)
	return out
}

func TestStaffSpaces_GroupButtons_ChangeTheChoiceBeforeItIsSaved(t *testing.T) {
	t.Parallel()
	f, b := setupFloors(t)
	path := b.home + "staff/spaces?key=eve"
	a := b.get(path)
	require.Equal(t, []string{
		"Everywhere 1 of 9 chosen +add +drop",
		"Lisbon 1 of 3 chosen +add +drop", "Lisbon · Floor 1 1 of 3 chosen +add +drop",
		"Porto 0 of 5 chosen +add", "Porto · Floor 2 0 of 2 chosen +add", "Porto · Floor 10 0 of 2 chosen +add",
	}, groupsOf(a.body))
	stored := f.export(t)
	press := func(button, value string) {
		t.Helper()
		a = b.submit(path, withValues(formValues(t, a), button, value))
		require.Equal(t, http.StatusOK, a.StatusCode, a.body)
		require.Equal(t, stored, f.export(t), "nothing is saved")
	}
	chosen := func() []string { return slices.Sorted(slices.Values(formValues(t, a)["space"])) }
	press("add_group", "floor 10 porto")
	require.Equal(t, []string{"101", "p1001", "p1002"}, chosen())
	press("drop_group", "floor 1 lisbon")
	require.Equal(t, []string{"p1001", "p1002"}, chosen())
	press("add_group", "site porto")
	require.Equal(t, []string{"p1001", "p1002", "p201", "p202", "pool"}, chosen())
	require.Contains(t, groupsOf(a.body), "Porto 5 of 5 chosen +drop")
	for _, value := range []string{"site nowhere", "site ", "floor 7 porto", "floor 2 ", "nothing", ""} {
		press("add_group", value)
		require.Len(t, chosen(), 5, value)
	}
	press("add_group", "all")
	require.Len(t, chosen(), 9)
	press("drop_group", "all")
	require.Empty(t, chosen())
	press("add_group", "floor 2 porto")
	require.Equal(t, http.StatusSeeOther, b.submit(path, formValues(t, a)).StatusCode)
	require.Equal(t, []string{"p201", "p202"}, served(t, f, "eve"))
}

func TestStaffSpaces_CopyFromColleague_ReplacesTheChoice(t *testing.T) {
	t.Parallel()
	f, b := setupFloors(t)
	for path, key := range map[string]string{"staff/spaces?key=eve": "eve", "staff/new": ""} {
		path = b.home + path
		a := b.get(path)
		require.Contains(t, a.body, `<option value="zoe"`)
		require.Equal(t, key == "", strings.Contains(a.body, `<option value="eve"`), "nobody copies from herself")
		form := withValues(formValues(t, a), "name", "New", "space", "101")
		for _, nobody := range []string{"", "nobody", "ada"} {
			a = b.submit(path, withValues(form, "copy", "1", "copy_from", nobody))
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
			require.Equal(t, []string{"101"}, formValues(t, a)["space"], "the choice stays")
		}
		a = b.submit(path, withValues(form, "copy", "1", "copy_from", "zoe"))
		require.Equal(t, http.StatusOK, a.StatusCode)
		form = formValues(t, a)
		require.ElementsMatch(t, []string{"102", "p202"}, form["space"])
		a = b.submit(path, form)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.body)
		location, err := url.Parse(a.Header.Get("Location"))
		require.NoError(t, err)
		require.Equal(t, []string{"102", "p202"}, served(t, f, location.Query().Get("key")))
	}
}

// A staff member can serve 1,000 spaces. A form with more of them could not save its choice.
func TestStaffSpaces_GroupOfTooManySpaces_IsRefused(t *testing.T) {
	t.Parallel()
	f, b := setupFloors(t)
	var rooms []data.Resource
	for i := range 1010 {
		rooms = append(rooms, data.Room(fmt.Sprint("f", i), fmt.Sprintf("Room %d%02d", 1+i/100, i%100)).In("faro"))
	}
	f.pushResources(t, rooms...)
	path := b.home + "staff/spaces?key=eve"
	form := formValues(t, b.get(path))
	for _, group := range []string{"all", "site faro"} {
		a := b.submit(path, withValues(form, "add_group", group))
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, group)
		require.Contains(t, a.body, "These are too many.", group)
		require.Equal(t, []string{"101"}, formValues(t, a)["space"], group)
	}
	a := b.submit(path, withValues(form, "add_group", "floor 9 faro"))
	require.Len(t, formValues(t, a)["space"], 101)

	for i := range 1010 {
		rooms[i] = data.Room(fmt.Sprint("g", i), fmt.Sprint("Room ", i)).In("faro")
	}
	f.pushResources(t, rooms...)
	require.Empty(t, groupsOf(b.get(path).body), "the groups of more than 2,000 spaces would be incomplete")
}
