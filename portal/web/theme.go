package web

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/customerportal-go/customerportal/portal"
)

// A profile can have any colours. The theme adjusts text and background colours until they have the contrast that WCAG
// AA requires.
const (
	minContrast       = 4.5
	minContrastOnDark = 6.5 // on dark surfaces, where the minimum would look faded
)

// The surfaces behind coloured text. The stylesheet contains the same values.
const (
	lightSurface = "#f6f5f2"
	darkSurface  = "#211f1d"
)

// defaultColor is the colour of portals without a colour of their own.
const defaultColor = "#1f4b43"

// rgb is a colour. Each component is from 0 to 1.
type rgb [3]float64

// parseColor parses "#rgb" or "#rrggbb". It returns false for other texts.
func parseColor(text string) (c rgb, ok bool) {
	digits, hash := strings.CutPrefix(text, "#")
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if !hash || err != nil || len(digits) != 6 {
		return c, false
	}
	for i, shift := range []int{16, 8, 0} {
		c[i] = float64(n>>shift&0xff) / 255
	}
	return c, true
}

// color parses a colour that is known to be valid.
func color(text string) rgb {
	c, ok := parseColor(text)
	if !ok {
		c, _ = parseColor(defaultColor)
	}
	return c
}

func (c rgb) String() string {
	at := func(x float64) int { return int(math.Round(x * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", at(c[0]), at(c[1]), at(c[2]))
}

// luminance returns the relative luminance of WCAG 2.
func (c rgb) luminance() float64 {
	linear := func(x float64) float64 {
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast returns the contrast ratio of WCAG 2, from 1 to 21.
func contrast(a, b rgb) float64 {
	light, dark := a.luminance(), b.luminance()
	if light < dark {
		light, dark = dark, light
	}
	return (light + 0.05) / (dark + 0.05)
}

// mix returns a mixture of two colours. part is the share of the second one.
func (c rgb) mix(to rgb, part float64) (out rgb) {
	for i := range out {
		out[i] = c[i] + (to[i]-c[i])*part
	}
	return out
}

// rounded returns the colour as the stylesheet contains it, so that contrasts are computed for the colour that browsers
// show.
func (c rgb) rounded() rgb { return color(c.String()) }

var (
	white = rgb{1, 1, 1}
	ink   = color("#14120f")
)

// foregroundOn returns the wanted colour if it is readable on a background, and otherwise white or ink.
func foregroundOn(background rgb, wanted string) rgb {
	if c, ok := parseColor(wanted); ok && contrast(background, c) >= minContrast {
		return c
	}
	for _, c := range []rgb{white, ink} {
		if contrast(background, c) >= minContrast {
			return c
		}
	}
	return rgb{} // black, because white is not readable
}

// readableOn returns a colour that is readable on a surface and as close as possible to c.
func readableOn(c, surface rgb) rgb {
	to, least := rgb{}, minContrast
	if surface.luminance() < 0.18 {
		to, least = white, minContrastOnDark
	}
	for step := 0.0; step <= 1; step += 0.02 {
		if mixed := c.mix(to, step).rounded(); contrast(mixed, surface) >= least {
			return mixed
		}
	}
	return to
}

// serveTheme serves the stylesheet with the portal's colours and fonts. Browsers store it if the query contains its
// version.
func (x *exchange) serveTheme() {
	if x.r.Method == http.MethodPost {
		x.showProblem(http.StatusMethodNotAllowed, problem{Key: "method"})
		return
	}
	css := themeCSS(x.appearance.Theme, x.colorScheme())
	if x.r.URL.RawQuery == "v="+fingerprint(css) {
		x.w.Header().Set("Cache-Control", "private, "+immutable)
	}
	x.respond(http.StatusOK, assetTypes[".css"], []byte(css))
}

// themePath returns the path of the stylesheet with the portal's colours and fonts. It changes when the stylesheet does.
func (x *exchange) themePath() string {
	return x.link(themePath, "v", fingerprint(themeCSS(x.appearance.Theme, x.colorScheme())))
}

// A page without a session has only the primary colour of a portal. Its stylesheet is an asset, whose name consists of the
// primary colour, the colour of text on it, and the colour scheme.
var shutTheme = regexp.MustCompile(`^theme-([0-9a-f]{6}|[0-9a-f]{3})-([0-9a-f]{6}|[0-9a-f]{3}|)-(light|dark|auto)\.css$`)

// shutThemePath returns the path of the stylesheet with the primary colour of x.shutPortal, or "" if it has none. A page in
// a frame that the portal does not allow has the default colours.
func (x *exchange) shutThemePath() string {
	p := x.shutPortal
	if p.Config.CustomizationProfileID == uuid.Nil || x.framed() && !p.Config.IsEmbedded {
		return ""
	}
	profile, err := x.h.portals.Profile(x.ctx(), x.h.db.Workspace(p.WorkspaceID), p.Config.CustomizationProfileID)
	if err != nil {
		if !errors.Is(err, portal.ErrProfileNotFound) {
			x.h.db.Logger().ErrorContext(x.ctx(), "reading the colours of a page failed", "error", err)
		}
		return ""
	}
	digits := func(colour string) string { return strings.ToLower(strings.TrimPrefix(colour, "#")) }
	name := "theme-" + digits(cmp.Or(profile.Theme.PrimaryColor, profile.PrimaryColor)) + "-" + digits(profile.Theme.PrimaryForegroundColor) + "-" + cmp.Or(p.Config.ColorScheme, "auto") + ".css"
	if !shutTheme.MatchString(name) {
		return "" // the profile has no primary colour
	}
	return x.assetPath(name)
}

// shutThemeCSS returns the stylesheet of a page without a session, or nil if the name is not one of [exchange.shutThemePath].
func shutThemeCSS(name string) []byte {
	found := shutTheme.FindStringSubmatch(name)
	if found == nil {
		return nil
	}
	t := portal.Theme{PrimaryColor: "#" + found[1]}
	if found[2] != "" {
		t.PrimaryForegroundColor = "#" + found[2]
	}
	scheme := schemeAuto
	if found[3] != "auto" {
		scheme = found[3]
	}
	return []byte(themeCSS(t, scheme))
}

// Colour schemes of pages, as in the CSS property color-scheme.
const (
	schemeLight = "light"
	schemeDark  = "dark"
	schemeAuto  = "light dark" // that of the visitor's device
)

// colorScheme returns the colour scheme of the page.
func (x *exchange) colorScheme() string {
	c := x.shutPortal.Config
	if x.session != nil {
		c = x.config()
	}
	switch scheme := c.ColorScheme; scheme {
	case schemeLight, schemeDark:
		return scheme
	}
	return schemeAuto
}

// themeCSS returns the stylesheet with the colours and fonts of a theme for a colour scheme.
func themeCSS(t portal.Theme, scheme string) string {
	primaryText := t.PrimaryColor
	if primaryText == "" {
		primaryText = defaultColor
	}
	primary := color(primaryText)
	secondary := primary
	if t.SecondaryColor != "" {
		secondary = color(t.SecondaryColor)
	}
	var b strings.Builder
	write := func(name string, value any) { fmt.Fprintf(&b, "--%s:%v;", name, value) }
	b.WriteString(":root{")
	write("brand", primary)
	write("on-brand", foregroundOn(primary, t.PrimaryForegroundColor))
	write("accent", secondary)
	write("on-accent", foregroundOn(secondary, t.SecondaryForegroundColor))
	write("brand-text", readableOn(primary, color(lightSurface)))
	write("tint", primary.mix(white, 0.9).rounded())
	write("on-tint", readableOn(primary, primary.mix(white, 0.9).rounded()))
	if t.FontFamily != "" {
		write("font", fontList(t.FontFamily)+", system-ui, sans-serif")
	}
	if t.MonoFontFamily != "" {
		write("mono", fontList(t.MonoFontFamily)+", ui-monospace, monospace")
	}
	b.WriteString("}")
	if scheme != schemeLight {
		open, end := ":root{", "}"
		if scheme == schemeAuto {
			open, end = "@media(prefers-color-scheme:dark){"+open, end+"}"
		}
		b.WriteString(open)
		write("brand-text", readableOn(primary, color(darkSurface)))
		tint := primary.mix(color(darkSurface), 0.75).rounded()
		write("tint", tint)
		write("on-tint", readableOn(primary, tint))
		b.WriteString(end)
	}
	b.WriteString("\n")
	return b.String()
}

// fontList returns a list of font names in the syntax of CSS. Any name is safe. Generic names are not quoted.
func fontList(names string) string {
	var out []string
	for _, name := range strings.Split(names, ",") {
		name = strings.Trim(strings.TrimSpace(name), `'"`)
		clean := strings.Map(func(r rune) rune {
			if r == '\'' || r == '"' || r == '\\' {
				return -1
			}
			return r
		}, name)
		switch clean {
		case "":
		case "serif", "sans-serif", "monospace", "system-ui", "ui-monospace", "ui-sans-serif", "ui-serif", "cursive":
			out = append(out, clean)
		default:
			out = append(out, `"`+clean+`"`)
		}
	}
	return strings.Join(out, ", ")
}
