package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
	"github.com/customerportal-go/customerportal/portal"
	"github.com/customerportal-go/customerportal/portal/web"
	"github.com/customerportal-go/customerportal/portal/web/preview"
)

// decoded returns the body of a response without its encoding.
func decoded(t *testing.T, a response) string {
	t.Helper()
	var r io.Reader = strings.NewReader(a.body)
	switch encoding := a.Header.Get("Content-Encoding"); encoding {
	case "":
	case "gzip":
		z, err := gzip.NewReader(r)
		require.NoError(t, err)
		r = z
	case "zstd":
		z, err := zstd.NewReader(r)
		require.NoError(t, err)
		defer z.Close()
		r = z
	default:
		require.Fail(t, "unknown encoding", encoding)
	}
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(out)
}

func TestPages_AcceptedEncoding_CompressesPagesAndAssets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	b.header.Set("Sec-Fetch-Site", "same-origin")
	asset := assetPath.FindString(b.get(b.home).body)
	for _, path := range []string{b.home + "reservations", asset} {
		plain := b.get(path)
		require.Empty(t, plain.Header.Get("Content-Encoding"))
		for accepts, want := range map[string]string{
			"gzip": "gzip", "gzip, deflate, br, zstd": "zstd", "ZSTD": "zstd", "zstd;q=0, gzip;q=0.5": "gzip", "gzip;q=0": "", "gzip; q=0.0": "", "br": "", "*": "", "gzip;q=x": "",
		} {
			b.header.Set("Accept-Encoding", accepts)
			a := b.get(path)
			require.Equal(t, want, a.Header.Get("Content-Encoding"), accepts)
			require.Equal(t, "Accept-Encoding", a.Header.Get("Vary"))
			require.Equal(t, fmt.Sprint(a.size), a.Header.Get("Content-Length"))
			require.Equal(t, plain.body, plainTimes.Replace(decoded(t, a)), accepts)
			require.Equal(t, want != "", len(a.body) < len(plain.body)/2, accepts)
		}
		b.header.Del("Accept-Encoding")
	}
}

// The attack BREACH needs pages of which the attacker chooses a part. See mayCompress.
func TestPages_OpenedByAnotherSite_AreNotCompressed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	b.header.Set("Accept-Encoding", "gzip, zstd")
	asset := assetPath.FindString(b.get(b.home).body)
	for site, compressed := range map[string]bool{"same-origin": true, "none": true, "same-site": false, "cross-site": false, "": false} {
		b.header.Set("Sec-Fetch-Site", site)
		require.Equal(t, compressed, b.get(b.home+"reservations?q=Ada").Header.Get("Content-Encoding") != "", site)
		require.NotEmpty(t, b.get(asset).Header.Get("Content-Encoding"), "assets are the same for everybody")
	}
}

var (
	assetPath = regexp.MustCompile(`/assets/[0-9a-f]{12}/portal\.css`)
	linked    = regexp.MustCompile(`(?:src|<link[^>]*href)="([^"]*)"`)
)

func TestAssets_CurrentVersion_IsStoredByBrowsers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.newBrowser(t)
	page := b.open(f.portal(t, portal.CreateRequest{}).URL.Reveal())
	require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
	found := linked.FindAllStringSubmatch(page.body, -1)
	require.Len(t, found, 5)
	for _, path := range found {
		a := b.get(path[1])
		require.Equal(t, http.StatusOK, a.StatusCode, path[1])
		want := "public, max-age=31536000, immutable"
		if strings.Contains(path[1], "theme.css") {
			want = "private, max-age=31536000, immutable"
		}
		require.Equal(t, want, a.Header.Get("Cache-Control"), path[1])

		other := regexp.MustCompile(`/[0-9a-f]{12}/(portal|dark|icon)|v=.*`).ReplaceAllString(path[1], "/000000000000/$1")
		a = b.get(other)
		require.Equal(t, http.StatusOK, a.StatusCode, other)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"), other)
	}
	require.Equal(t, http.StatusNotFound, b.get("/assets/000000000000/none.css").StatusCode)
}

// The theme changes its address when the profile changes.
func TestTheme_ChangedProfile_HasAnotherAddress(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	profile, err := f.portals.CreateProfile(t.Context(), f.ws(), portal.Profile{PrimaryColor: "#112233"})
	require.NoError(t, err)
	b := f.newBrowser(t)
	theme := regexp.MustCompile(`theme\.css[^"]*`)
	first := theme.FindString(b.open(f.portal(t, portal.CreateRequest{Config: portal.Config{CustomizationProfileID: profile.ID}}).URL.Reveal()).body)
	require.Equal(t, first, theme.FindString(b.get(b.home).body))
	_, err = f.portals.UpdateProfile(t.Context(), f.ws(), profile.ID, func(p *portal.Profile) error {
		p.PrimaryColor = "#332211"
		return nil
	})
	require.NoError(t, err)
	second := theme.FindString(b.get(b.home).body)
	require.NotEqual(t, first, second)
	require.Contains(t, b.get(b.home+second).body, "#332211")
}

// countedConn counts the bytes that it reads.
type countedConn struct {
	net.Conn
	read *atomic.Int64
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

// wire is a client that counts the bytes of the responses on the network, with their headers.
type wire struct {
	client *http.Client
	read   *atomic.Int64
	url    string
}

func newWire(t *testing.T, f *fixture) *wire {
	t.Helper()
	server := httptest.NewServer(f.pages)
	t.Cleanup(server.Close)
	w := &wire{read: &atomic.Int64{}, url: server.URL}
	transport := &http.Transport{
		DisableCompression: true, MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return countedConn{conn, w.read}, err
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	w.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return w
}

// get requests a page as a browser does that has opened another page of the portal before. It returns the number of
// bytes.
func (w *wire) get(t *testing.T, b *browser, path string) (status int, bytes int64) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
	require.NoError(t, err)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w.read.Store(0)
	a, err := w.client.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, a.Body)
	require.NoError(t, err)
	require.NoError(t, a.Body.Close())
	return a.StatusCode, w.read.Load()
}

// maxPageBytes is the largest number of bytes of a page on the network. Browsers store what a page loads.
const maxPageBytes = 8 << 10

func TestPages_DemoData_AreSmallOnTheNetwork(t *testing.T) {
	t.Parallel()
	f := setupPreview(t, web.Options{Automations: preview.NewAutomations()}, nil)
	w := newWire(t, f)
	names := []string{"full", "brand", "hostile", "el-GR"}
	if testing.Short() || race.Enabled {
		names = names[:1]
	}
	for _, name := range names {
		b := f.newBrowser(t)
		require.Equal(t, http.StatusOK, b.open(f.links[name].URL).StatusCode)
		for _, path := range f.links[name].Pages {
			_, n := w.get(t, b, b.home+path)
			require.LessOrEqual(t, n, int64(maxPageBytes), "%s: %s", name, path)
		}
	}
}

// The lists have as many rows as fit on a page, and no two rows have a name, an address or a time in common.
func TestPages_FullLists_AreSmallOnTheNetwork(t *testing.T) {
	testsize.SkipShort(t)
	t.Parallel()
	f := newFixture(t)
	random := rand.New(rand.NewPCG(1, 2))
	name := func() string {
		var out bytes.Buffer
		for i := range 2 {
			if i > 0 {
				out.WriteByte(' ')
			}
			out.WriteByte(byte('A' + random.IntN(26)))
			for range 4 + random.IntN(4) {
				out.WriteByte(byte('a' + random.IntN(26)))
			}
		}
		return out.String()
	}
	d := data.CustomerData{CustomerKey: "acme", CustomerName: "Acme"}
	for i := range 3 {
		d.Add(data.Site(fmt.Sprint("site", i), name()))
	}
	for i := range 120 {
		room := data.Room(fmt.Sprint("room", i), fmt.Sprint("Room ", 100+i)).In(fmt.Sprint("site", i%3))
		guest, member := data.Guest(fmt.Sprint("guest", i), name()), data.StaffMember(fmt.Sprint("staff", i), name(), room.Ref())
		guest.EmailAddress, guest.PhoneNumber = strings.ReplaceAll(guest.Name, " ", ".")+"@mail.example", fmt.Sprintf("+351 9%08d", random.IntN(1e8))
		member.EmailAddress = strings.ReplaceAll(member.Name, " ", ".") + "@acme.example"
		from := f.clock.Now().Add(time.Duration(random.IntN(2000)-200) * time.Minute)
		stay := data.Reservation(fmt.Sprintf("%08d", random.IntN(1e8)), guest.Ref(), room.Ref()).During(from, from.Add(time.Duration(1+random.IntN(90))*time.Hour))
		stay.PreferredCode = fmt.Sprintf("%06d", random.IntN(1e6))
		d.Add(room, guest, member, stay)
	}
	_, err := f.ws().Push(t.Context(), d)
	require.NoError(t, err)
	p, err := f.portals.Create(t.Context(), f.ws(), portal.CreateRequest{CustomerKey: "acme"})
	require.NoError(t, err)
	b := f.newBrowser(t)
	b.open(p.URL.Reveal())
	w := newWire(t, f)
	for _, path := range []string{
		"", "reservations", "reservations?state=all", "reservations?q=a", "guests", "guests?q=a", "guests/view?key=guest5", "staff", "staff?q=a", "staff/view?key=staff5",
		"spaces", "spaces?view=all", "spaces?q=Room", "spaces/view?key=site1", "spaces/view?key=room5", "search?q=a",
		"reservations/new", "staff/new", "staff/spaces?key=staff5", "spaces/new", "spaces/move?key=room5", "spaces/delete?key=site1",
	} {
		status, n := w.get(t, b, b.home+path)
		require.Less(t, status, 400, path)
		require.LessOrEqual(t, n, int64(maxPageBytes), path)
		t.Logf("%6d bytes  %s", n, path)
	}
}
