package web

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestColoursCanBeRead tries a hundred thousand colours of profiles.
func TestColoursCanBeRead(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	any := func() string { return fmt.Sprintf("#%06x", r.IntN(1<<24)) }
	for range 100_000 {
		background, wanted := any(), any()
		c := color(background)
		require.GreaterOrEqual(t, contrast(c, on(c, wanted).rounded()), readable, "%s wanted on %s", wanted, background)
		require.GreaterOrEqual(t, contrast(c, on(c, "").rounded()), readable, background)
		for _, surface := range []string{lightSurface, "#ffffff", darkSurface, "#171614"} {
			if surface == "#ffffff" || surface == lightSurface {
				require.GreaterOrEqual(t, contrast(color(surface), against(c, color(lightSurface))), readable, "%s on %s", background, surface)
			} else {
				require.GreaterOrEqual(t, contrast(color(surface), against(c, color(darkSurface))), readable, "%s on %s", background, surface)
			}
		}
		for _, tint := range []rgb{c.mix(white, 0.9).rounded(), c.mix(color(darkSurface), 0.75).rounded()} {
			require.GreaterOrEqual(t, contrast(tint, against(c, tint)), readable, background)
		}
	}
	// A foreground that can be read is kept.
	require.Equal(t, "#fff0f0", on(color("#7a1f3d"), "#fff0f0").String())
	require.Equal(t, "#7a1f3d", against(color("#7a1f3d"), color(lightSurface)).String())
	// Known contrasts.
	require.InDelta(t, 21, contrast(rgb{}, white), 0.001)
	require.InDelta(t, 4.48, contrast(color("#777"), white), 0.01)
}

// TestSurfacesAreThoseOfTheStylesheet holds the colours here to those that are seen.
func TestSurfacesAreThoseOfTheStylesheet(t *testing.T) {
	t.Parallel()
	b, err := assetFiles.ReadFile("assets/portal.css")
	require.NoError(t, err)
	pages := regexp.MustCompile(`--page: (#[0-9a-f]+)`).FindAllSubmatch(b, -1)
	cards := regexp.MustCompile(`--card: (#[0-9a-f]+)`).FindAllSubmatch(b, -1)
	require.Len(t, pages, 2)
	require.Equal(t, lightSurface, string(pages[0][1]))
	require.Equal(t, darkSurface, string(cards[1][1]))
}

func TestAFontIsAName(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`Inter, "Noto Sans", sans-serif`: `"Inter", "Noto Sans", sans-serif`,
		`a' b`:                           `"a b"`,
		``:                               ``,
	} {
		require.Equal(t, want, fontList(given))
	}
}
