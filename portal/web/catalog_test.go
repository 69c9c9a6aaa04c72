package web

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/feature/plural"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/portal"
)

// pluralForm matches the suffix of a key that depends on a number.
var pluralForm = regexp.MustCompile(`\.(zero|one|two|few|many|other)$`)

// pluralFormsOf returns the plural forms of whole numbers in a language.
func pluralFormsOf(c *catalog) []string {
	var out []string
	for n := range 10_001 {
		form := pluralNames[plural.Cardinal.MatchPlural(c.tag, n, 0, 0, 0, 0)]
		if !slices.Contains(out, form) {
			out = append(out, form)
		}
	}
	return out
}

// splitPlurals splits texts into those without and those with plural forms. The keys of the latter have no suffix.
func splitPlurals(texts map[string]string) (plain, counted map[string]string) {
	plain, counted = map[string]string{}, map[string]string{}
	for key, text := range texts {
		if pluralForm.MatchString(key) {
			counted[pluralForm.ReplaceAllString(key, "")] = text
		} else {
			plain[key] = text
		}
	}
	return plain, counted
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func TestCatalogs_AllLocales_HaveTheSameKeysAndPlaceholders(t *testing.T) {
	t.Parallel()
	catalogs, err := loadCatalogs()
	require.NoError(t, err)
	english, counted := splitPlurals(catalogs["en-US"].texts)
	require.NotEmpty(t, counted)
	for locale, c := range catalogs {
		plain, ofNumbers := splitPlurals(c.texts)
		for key, text := range english {
			require.NotEmpty(t, plain[key], "%s lacks %s", locale, key)
			require.NotEmpty(t, strings.TrimSpace(plain[key]), "%s: %s", locale, key)
			require.ElementsMatch(t, placeholder.FindAllString(text, -1), placeholder.FindAllString(plain[key], -1), "%s: %s", locale, key)
		}
		for key := range plain {
			require.Contains(t, english, key, "%s has a key that no other has", locale)
		}
		for key := range counted {
			for _, form := range pluralFormsOf(c) {
				require.Contains(t, c.texts[key+"."+form], "{n}", "%s: %s.%s", locale, key, form)
			}
		}
		for key := range ofNumbers {
			require.Contains(t, counted, key, locale)
		}
	}
}

// Only a few words are the same in English and another language, such as "Portal".
func TestCatalogs_OtherLocales_AreNotEnglish(t *testing.T) {
	t.Parallel()
	catalogs, err := loadCatalogs()
	require.NoError(t, err)
	for locale, c := range catalogs {
		if locale == "en-US" {
			continue
		}
		var same []string
		for key, text := range catalogs["en-US"].texts {
			if c.texts[key] == text && strings.Trim(placeholder.ReplaceAllString(text, ""), " ,") != "" {
				same = append(same, key)
			}
		}
		require.Less(t, len(same), 16, "%s: %v", locale, same)
	}
}

// Keys are extracted from the templates and the Go files.
func TestCatalogs_Keys_AreThoseOfTemplatesAndCode(t *testing.T) {
	t.Parallel()
	catalogs, err := loadCatalogs()
	require.NoError(t, err)
	texts := catalogs["en-US"].texts
	plain, counted := splitPlurals(texts)
	used := map[string]bool{}
	use := func(key, where string) {
		t.Helper()
		_, known := plain[key]
		if !known {
			require.Contains(t, counted, key, where)
		}
		used[key] = true
	}
	asked := []*regexp.Regexp{
		regexp.MustCompile(`\.T "([a-z_.]*[a-z_])"`), regexp.MustCompile(`\.N "([a-z_.]*[a-z_])"`), regexp.MustCompile(`"Key" "([a-z_.]*[a-z_])"`), regexp.MustCompile(`"Empty" "([a-z_.]*[a-z_])"`),
		regexp.MustCompile(`\$\.Field \. "[a-z_]+" "([a-z_.]*[a-z_])"`), regexp.MustCompile(`"hint=([a-z_.]*[a-z_])"`),
		regexp.MustCompile(`(?:[xs]\.text|[dx]\.T)\("([a-z_.]*[a-z_])"[,)]`), regexp.MustCompile(`(?:d\.N|x\.atLeast|localizer\.count)\("([a-z_.]*[a-z_])"`),
		regexp.MustCompile(`(?:render|renderOK)\((?:[0-9a-zA-Z.]+, )?"[a-z]+", "([a-z_.]*[a-z_])"`), regexp.MustCompile(`(?m)show(?:Space|Staff)Form\(.*, "([a-z_.]*[a-z_])"[,)]`),
		regexp.MustCompile(`title :?= "([a-z_]+\.[a-z_]+)"\n`),
	}
	for _, pattern := range []string{"templates/*.html", "*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, re := range asked {
				for _, found := range re.FindAllStringSubmatch(string(b), -1) {
					use(found[1], file)
				}
			}
		}
	}
	// The other keys are composed at run time.
	for _, kind := range append(data.Kinds(data.ClassSpace), data.Kinds(data.ClassUserIdentity)...) {
		use("noun."+kind.String(), "a kind")
		use("nouns."+kind.String(), "a kind")
	}
	for vertical, n := range nounsByVertical {
		use("search."+string(vertical), "a vertical")
		if n.space != "space" {
			use("space.add."+n.space, "a vertical")
			use("staff.assign."+n.space, "a vertical")
		}
		for _, key := range []string{"noun." + n.grant, "nouns." + n.grant, "new." + n.grant, "noun." + n.guest, "nouns." + n.guest, "noun." + n.space, "nouns." + n.space} {
			use(key, "a vertical")
		}
	}
	for _, state := range []string{stateOpen, stateAll, string(stateCurrent), string(stateUpcoming), string(stateEnded)} {
		use("state."+state, "a state")
	}
	for _, state := range []grantState{stateCurrent, stateUpcoming, stateEnded} {
		use("staff.state."+string(state), "a state of a staff member")
	}
	for _, change := range []data.Change{data.Created, data.Updated, data.Deleted} {
		use("history."+string(change), "a change")
	}
	for _, actor := range historyActors {
		use(actor, "an actor")
	}
	for _, label := range historyFields {
		use(label, "a field of a change")
	}
	for _, rule := range ruleTexts {
		use("rule."+string(rule), "a rule")
	}
	for _, d := range []deletion{cancelGrant, removeStaff, deleteSpace} {
		if !strings.HasSuffix(d.titleKey, ".") {
			use(d.titleKey, "a deletion")
			continue
		}
		for _, n := range nounsByVertical {
			use(d.titleKey+n.grant, "a deletion")
		}
	}
	for _, key := range []string{"nights", "months"} {
		use(key, "a number of a later end")
	}
	for _, fields := range [][]fieldSpec{newGrantFields, editGrantFields, newStaffFields, newSpaceFields, climateFields} {
		for _, field := range fields {
			use(field.label, "a field")
		}
	}
	for _, key := range append(slices.Collect(maps.Values(failTexts)), failBusy, failBattery) {
		use(key, "advice about a device")
	}
	for _, kind := range []access.ActivityKind{
		access.ActivityOffline, access.ActivityOnline, access.ActivityLowBattery, access.ActivityLocked, access.ActivityUnlocked,
		access.ActivityDoorOpened, access.ActivityDoorClosed, access.ActivityClimate, access.ActivityLeak, access.ActivitySmoke,
		access.ActivityGaveUp, access.ActivityDeviceGone, access.ActivityDeviceListed,
	} {
		use("activity."+string(kind), "an activity")
	}
	for _, method := range namedMethods {
		use("method."+string(method), "a method of operating a lock")
	}
	for _, mode := range []device.HVACMode{device.HVACOff, device.HVACHeat, device.HVACCool, device.HVACHeatCool, device.HVACEco} {
		use("mode."+string(mode), "a mode of a thermostat")
	}
	for _, mode := range []device.FanMode{device.FanAuto, device.FanOn, device.FanCirculate} {
		use("fan."+string(mode), "a mode of a fan")
	}
	use("switch.on", "a switch")
	use("switch.off", "a switch")
	for _, group := range []SettingGroup{GroupAccess, GroupClimate, GroupInstantKey} {
		use("configure."+string(group), "a group")
	}
	for _, s := range ruleSettings {
		use("rules."+s.name, "a rule")
		use("rules."+s.name+".text", "a rule")
	}
	for _, status := range []access.AccountStatus{access.AccountConnecting, access.AccountConnected, access.AccountUnreachable, access.AccountLost} {
		use("connect.state."+string(status), "a status")
	}
	for _, name := range connectFields {
		use("connect.field."+name, "a field")
	}
	for _, problem := range connectProblems {
		use("connect.problem."+string(problem), "a problem")
	}
	for _, row := range connectTroubles {
		use(row.key, "an error")
	}
	use("connect.trouble.failed", "an error")
	for _, key := range noticeKeys {
		use(key, "a notice")
	}
	for _, prefix := range nounNotices {
		for _, n := range nounsByVertical {
			use(prefix+n.grant, "a notice")
		}
	}
	for _, key := range append(slices.Collect(maps.Values(doorCodeTexts)), slices.Collect(maps.Values(unlockTexts))...) {
		use(key, "the page of a guest link")
	}
	for _, row := range problems {
		use("problem."+row.key+".title", "a problem")
		use("problem."+row.key+".text", "a problem")
	}
	for _, key := range []string{"method", "cross", "large", "slow", "internal", "frame", "cookies", "ended_used", "cancelled"} {
		use("problem."+key+".title", "a problem")
		use("problem."+key+".text", "a problem")
	}
	for _, all := range []map[string]string{plain, counted} {
		for key := range all {
			require.True(t, used[strings.TrimPrefix(key, lastingPrefix)], "nothing asks for %s", key)
		}
	}
}

// The JSON decoder accepts duplicate keys.
func TestCatalogs_Keys_AreUnique(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`(?m)^\s*"([^"]+)":`)
	for _, locale := range portal.Locales() {
		b, err := catalogFiles.ReadFile("catalogs/" + locale + ".json")
		require.NoError(t, err)
		require.True(t, json.Valid(b))
		seen := map[string]bool{}
		for _, found := range key.FindAllSubmatch(b, -1) {
			require.False(t, seen[string(found[1])], "%s: %s", locale, found[1])
			seen[string(found[1])] = true
		}
	}
}

func TestLocalizer_PluralsDatesAndNumbers_FollowTheLocale(t *testing.T) {
	t.Parallel()
	catalogs, err := loadCatalogs()
	require.NoError(t, err)
	h := &Handler{catalogs: catalogs}
	at := time.Date(2026, 5, 3, 15, 4, 0, 0, time.UTC)
	for locale, want := range map[string][]string{
		"en-US": {"1 night", "2 nights", "1,234 nights", "Sun, May 3, 2026", "3:04\u00a0PM"},
		"de-DE": {"1 Nacht", "2 Nächte", "1.234 Nächte", "So, 3. Mai 2026", "15:04"},
		"fr-FR": {"1 nuit", "2 nuits", "1\u00a0234 nuits", "dim. 3 mai 2026", "15:04"},
		"pl-PL": {"1 noc", "2 noce", "1234 noce", "niedz., 3 maj 2026", "15:04"},
		"ru-RU": {"1 ночь", "2 ночи", "1\u00a0234 ночи", "вс, 3 мая 2026 г.", "15:04"},
		"el-GR": {"1 νύχτα", "2 νύχτες", "1.234 νύχτες", "Κυρ 3 Μαΐ 2026", "15:04"},
	} {
		s := h.newLocalizer(locale, nil)
		got := []string{s.count("nights", 1), s.count("nights", 2), s.count("nights", 1234), s.date(at), s.clock(at)}
		if locale == "pl-PL" {
			got[2], want[2] = strings.ReplaceAll(got[2], "\u00a0", ""), "1234 noce"
		}
		require.Equal(t, want, got, locale)
	}
	require.Equal(t, "5 ночей", h.newLocalizer("ru-RU", nil).count("nights", 5))
	require.Equal(t, "21 ночь", h.newLocalizer("ru-RU", nil).count("nights", 21))
	for locale := range catalogs {
		d := dates[locale]
		require.Len(t, strings.Fields(d.months), 12, locale)
		require.Len(t, strings.Fields(d.days), 7, locale)
	}
}

func TestLocalizer_OverridesAndRewrite_ReplaceTexts(t *testing.T) {
	t.Parallel()
	catalogs, err := loadCatalogs()
	require.NoError(t, err)
	h := &Handler{catalogs: catalogs}
	s := h.newLocalizer("de-DE", map[string]string{"start.title": "Servus", "nights.one": "{n} Nachterl"})
	require.Equal(t, "Servus", s.text("start.title"))
	require.Equal(t, "1 Nachterl", s.count("nights", 1))
	require.Equal(t, "2 Nächte", s.count("nights", 2))
	h.options.Rewrite = func(locale, key, text string) string { return locale + " " + key + " " + text }
	require.Equal(t, "de-DE start.title Heute", h.newLocalizer("de-DE", nil).text("start.title"))
}
