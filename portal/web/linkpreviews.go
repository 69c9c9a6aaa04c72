package web

import (
	"net/http"
	"slices"
	"strings"
)

// previewAgents are parts of the User-Agent headers, in lower case, of programs that fetch a link in order to preview or
// scan it. They are product names: general words such as "bot" also occur in the names of phones, and the in-app
// browsers of the same companies have other names. An unlisted program without cookies does not get a session either;
// see [exchange.serveLink].
var previewAgents = []string{
	// Messengers and social networks.
	"slackbot", "slack-imgproxy", "whatsapp", "facebookexternalhit", "facebookcatalog", "facebot", "meta-externalagent", "meta-externalfetcher",
	"twitterbot", "linkedinbot", "discordbot", "telegrambot", "skypeuripreview", "vkshare", "redditbot", "pinterestbot", "mastodon/",
	"line-poker", "kakaotalk-scrap", "synapse (bot", "mattermost-bot", "zoombot", "viberbot", "embedly", "iframely", "bitlybot", "tumblr/",
	// Microsoft: Teams, Outlook and Office fetch a link before they open it.
	"microsoftpreview", "bingpreview", "bingbot", "adidxbot", "ms-office", "msoffice", "microsoft office", "microsoft teams preview", "safelinks",
	// Google and Apple.
	"googlebot", "google-inspectiontool", "googleother", "google-read-aloud", "google-safety", "google-pagerenderer", "googleimageproxy",
	"google-extended", "feedfetcher-google", "adsbot-google", "chrome-lighthouse", "applebot", "applenewsbot",
	// Mail gateways and URL scanners.
	"mimecast", "proofpoint", "barracuda", "urldefense", "yahoomailproxy", "yahoo! slurp", "trendmicro", "symantec", "sophos", "zscaler", "urlscan",
	"virustotal", "phishtank", "netcraft", "censysinspect",
	// Search engines and archives.
	"duckduckbot", "yandexbot", "yandeximages", "baiduspider", "petalbot", "semrushbot", "ahrefsbot", "mj12bot", "ia_archiver", "archive.org_bot",
	"ccbot", "gptbot", "chatgpt-user", "claudebot", "perplexitybot", "bytespider", "amazonbot",
}

// isPrefetch reports whether a browser fetches a page before its user opens it, to load it ahead or to show a preview.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		value := strings.ToLower(r.Header.Get(name))
		if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

// isPreviewAgent reports whether the User-Agent is that of a known program that previews or scans links.
func isPreviewAgent(r *http.Request) bool {
	agent := strings.ToLower(r.UserAgent())
	return slices.ContainsFunc(previewAgents, func(part string) bool { return strings.Contains(agent, part) })
}
