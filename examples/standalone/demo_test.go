package main

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
)

// TestDemo_LinkInTheLastLine_OpensTodaysArrivals opens the link in the last line of the output and follows the links on the
// page.
func TestDemo_LinkInTheLastLine_OpensTodaysArrivals(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\nOpen this in a browser:\n  (http://\S+)\n$`)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	get := func(target string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		require.NoError(t, err)
		r.Header.Set("User-Agent", "Mozilla/5.0")
		answer, err := browser.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.StatusCode, target)
		return string(b)
	}
	var s *server
	var printed, home string
	onOneDay(t, func() {
		if s != nil {
			s.stop()
		}
		s = serving(t, map[string]string{apiKeyVariable: testKey}, "-demo", "-dir", t.TempDir())
		for !link.MatchString(s.out.String()) {
			<-s.out.written
		}
		printed = s.out.String()
		home = get(link.FindStringSubmatch(printed)[1])
	})
	require.Contains(t, printed, "Pushed 374 resources")
	require.LessOrEqual(t, strings.Count(printed, "\n"), 15, printed)
	require.Len(t, regexp.MustCompile(`http://\S+`).FindAllString(printed, -1), 2, "the address of the API and the link")
	for _, want := range []string{"Atlantic Hotels", "Arrivals", "Bookings", "Guests"} {
		require.Contains(t, home, want)
	}
	occupied := regexp.MustCompile(`href="(/portal/p/[^"]*show=occupied)`).FindStringSubmatch(home)
	require.NotNil(t, occupied)
	page := get(s.url + html.UnescapeString(occupied[1]))
	for _, want := range []string{"Rita F.", "Suite 101"} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, home, "User identities")
	links := regexp.MustCompile(`href="(/portal/p/[^"#]+)"`).FindAllStringSubmatch(home, -1)
	require.Greater(t, len(links), 10)
	for _, to := range links {
		get(s.url + html.UnescapeString(to[1]))
	}
	start := get(s.url + "/")
	button := regexp.MustCompile(`<a href="([^"]+)">Open the portal`).FindStringSubmatch(start)
	require.NotNil(t, button, start)
	require.Contains(t, get(button[1]), "Arrivals")

	status, list := s.post("/access_grants/list", testKey, `{"customer_key": "atlantic-hotels", "limit": 1000}`)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, list["access_grants"], 134)
}

func TestDemo_EveryRoomHasDevices_AndItsDoorUnlocks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serving(t, map[string]string{apiKeyVariable: testKey}, "-demo", "-dir", dir)
	devicesIn := func(room string) (locks, all int, lock map[string]any) {
		_, got := s.post("/spaces/get", testKey, `{"space_key": "`+room+`"}`)
		status, list := s.post("/devices/list", testKey, `{"space_id": "`+got["space"].(map[string]any)["space_id"].(string)+`"}`)
		require.Equal(t, http.StatusOK, status, list)
		for _, d := range list["devices"].([]any) {
			if d.(map[string]any)["can_remotely_unlock"] == true {
				lock = d.(map[string]any)
				locks++
			}
			all++
		}
		return locks, all, lock
	}
	rooms := func() {
		group, err := loadHotel(time.Now())
		require.NoError(t, err)
		for _, space := range group.Spaces {
			if space.Kind == data.KindRoom {
				locks, all, _ := devicesIn(space.Key)
				require.Equal(t, []int{1, 3}, []int{locks, all}, space.Key)
			}
		}
	}
	rooms()
	_, _, lock := devicesIn(offlineRoom)
	require.Equal(t, false, lock["properties"].(map[string]any)["online"])
	_, _, lock = devicesIn(lowBatteryRoom)
	require.Equal(t, "low", lock["properties"].(map[string]any)["battery"].(map[string]any)["status"])

	_, _, lock = devicesIn("lisbon-101")
	status, answer := s.post("/locks/unlock_door", testKey, `{"device_id": "`+lock["device_id"].(string)+`"}`)
	require.Equal(t, http.StatusOK, status, answer)
	attempt := answer["action_attempt"].(map[string]any)
	for attempt["status"] == "pending" {
		_, answer = s.post("/action_attempts/get", testKey, `{"action_attempt_id": "`+attempt["action_attempt_id"].(string)+`"}`)
		attempt = answer["action_attempt"].(map[string]any)
	}
	require.Equal(t, "success", attempt["status"], attempt)

	s.stop()
	s = serving(t, map[string]string{apiKeyVariable: testKey}, "-demo", "-dir", dir)
	rooms()
	_, list := s.post("/connected_accounts/list", testKey, `{}`)
	require.Len(t, list["connected_accounts"], 1, "the second run connects nothing")
}
