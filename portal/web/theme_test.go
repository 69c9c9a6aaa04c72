package web

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/internal/race"
	"github.com/customerportal-go/customerportal/internal/testsize"
)

func TestTheme_RandomColours_AreReadable(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	random := func() string { return fmt.Sprintf("#%06x", r.IntN(1<<24)) }
	check := func(a, b rgb, what ...any) {
		if got := contrast(a, b); got < minContrast { // much faster than calling require each time
			require.GreaterOrEqual(t, got, minContrast, fmt.Sprint(what...))
		}
	}
	surfaces := map[string][]string{lightSurface: {lightSurface, "#ffffff"}, darkSurface: {darkSurface, "#171614"}}
	for range testsize.Pick(1_000, 3_000, 10_000) / race.Slowness(10) {
		background, wanted := random(), random()
		c := color(background)
		check(c, foregroundOn(c, wanted).rounded(), wanted, " wanted on ", background)
		check(c, foregroundOn(c, "").rounded(), background)
		for of, seen := range surfaces {
			text := readableOn(c, color(of))
			for _, surface := range seen {
				check(color(surface), text, background, " on ", surface)
			}
		}
		for _, tint := range []rgb{c.mix(white, 0.9).rounded(), c.mix(color(darkSurface), 0.75).rounded()} {
			check(tint, readableOn(c, tint), background)
		}
	}
	// A readable foreground is not changed.
	require.Equal(t, "#fff0f0", foregroundOn(color("#7a1f3d"), "#fff0f0").String())
	require.Equal(t, "#7a1f3d", readableOn(color("#7a1f3d"), color(lightSurface)).String())
	// These contrasts are known.
	require.InDelta(t, 21, contrast(rgb{}, white), 0.001)
	require.InDelta(t, 4.48, contrast(color("#777"), white), 0.01)
}

func TestTheme_Surfaces_AreThoseOfTheStylesheet(t *testing.T) {
	t.Parallel()
	value := func(asset, name string) string {
		b, err := assetFiles.ReadFile("assets/" + asset)
		require.NoError(t, err)
		found := regexp.MustCompile(`--`+name+`: (#[0-9a-f]+)`).FindAllSubmatch(b, -1)
		require.Len(t, found, 1)
		return string(found[0][1])
	}
	require.Equal(t, lightSurface, value("portal.css", "page"))
	require.Equal(t, darkSurface, value("dark.css", "card"))
}

func TestFontList_Names_AreQuoted(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`Inter, "Noto Sans", sans-serif`: `"Inter", "Noto Sans", sans-serif`,
		`a' b`:                           `"a b"`,
		``:                               ``,
	} {
		require.Equal(t, want, fontList(given))
	}
}
