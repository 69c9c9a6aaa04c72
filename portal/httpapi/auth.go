package httpapi

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Authenticator says which workspace a request is for. An error that matches
// [ErrUnauthorized] answers 401; any other is the host's own failure, and answers 500.
// It runs before the body is read.
type Authenticator func(*http.Request) (workspaceID uuid.UUID, err error)

// ErrUnauthorized refuses a request that shows no good credentials.
var ErrUnauthorized = errors.New("httpapi: unauthorized")

// WorkspaceHeader names the workspace that an access token is used for.
const WorkspaceHeader = "seam-workspace"

// What the official SDKs hold a token to begin with.
const (
	keyPrefix         = "seam_"
	accessTokenPrefix = "seam_at"
)

// notKeys are the beginnings of what is no API key in those SDKs.
var notKeys = []string{accessTokenPrefix, "seam_cst", "seam_pk"}

// minSecret is the length of a key or token after its prefix.
const minSecret = 16

// Credentials are the static keys of an API.
type Credentials struct {
	// APIKeys are keys as CheckAPIKey has them, each with the one workspace that it opens.
	APIKeys map[string]uuid.UUID

	// AccessTokens are personal access tokens, which start with "seam_at" followed by at least
	// 16 characters, each with the workspaces that it opens. A request names one in the
	// header "seam-workspace".
	AccessTokens map[string][]uuid.UUID
}

// Format keeps the keys out of every kind of print.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText keeps the keys out of JSON and slog.
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "[redacted]"

// credential is a key or token as it is kept.
type credential struct {
	hash       [sha256.Size]byte
	workspaces []uuid.UUID
	isToken    bool // which names its workspace in the header
}

// CheckAPIKey returns an error if a text cannot be an API key: it must start with "seam_"
// followed by at least 16 characters. The official SDKs take what starts with "seam_at",
// "seam_cst" or "seam_pk" for tokens of other kinds, so those are refused too. The error
// says what the rule is, and not what the key is. [NewAPIKey] makes a key.
func CheckAPIKey(key string) error {
	if !strings.HasPrefix(key, keyPrefix) || len(key) < len(keyPrefix)+minSecret {
		return fmt.Errorf("must start with %q followed by at least %d characters", keyPrefix, minSecret)
	}
	for _, prefix := range notKeys {
		if strings.HasPrefix(key, prefix) {
			return fmt.Errorf("starts with %q, which the SDKs take for another kind of token: continue %q with other letters", prefix, keyPrefix)
		}
	}
	return nil
}

// Static returns the Authenticator of credentials that do not change. It keeps their
// hashes. With no credentials it refuses every request. The error says which key cannot
// be one, and not what it is.
func (c Credentials) Static() (Authenticator, error) {
	var known []credential
	for key, workspace := range c.APIKeys {
		if err := CheckAPIKey(key); err != nil {
			return nil, fmt.Errorf("httpapi: the API key of workspace %s %w", workspace, err)
		}
		known = append(known, credential{sha256.Sum256([]byte(key)), []uuid.UUID{workspace}, false})
	}
	for token, workspaces := range c.AccessTokens {
		if !strings.HasPrefix(token, accessTokenPrefix) || len(token) < len(accessTokenPrefix)+minSecret {
			return nil, fmt.Errorf("httpapi: the access token of workspaces %v must start with %q followed by at least %d characters",
				workspaces, accessTokenPrefix, minSecret)
		}
		known = append(known, credential{sha256.Sum256([]byte(token)), slices.Clone(workspaces), true})
	}
	return func(r *http.Request) (uuid.UUID, error) { return authenticate(known, r) }, nil
}

func authenticate(known []credential, r *http.Request) (uuid.UUID, error) {
	given := r.Header.Values("Authorization")
	if len(given) != 1 {
		return uuid.Nil, ErrUnauthorized
	}
	scheme, secret, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return uuid.Nil, ErrUnauthorized
	}
	hash := sha256.Sum256([]byte(secret))
	found := -1
	for i := range known { // all of them, so that the time says nothing
		if subtle.ConstantTimeCompare(hash[:], known[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return uuid.Nil, ErrUnauthorized
	}
	named := r.Header.Values(WorkspaceHeader)
	if len(named) == 0 && !known[found].isToken {
		return known[found].workspaces[0], nil
	}
	if len(named) != 1 {
		return uuid.Nil, ErrUnauthorized
	}
	id, err := uuid.Parse(named[0])
	if err != nil || !slices.Contains(known[found].workspaces, id) {
		return uuid.Nil, ErrUnauthorized
	}
	return id, nil
}

// NewAPIKey makes an API key of 128 random bits.
func NewAPIKey() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("httpapi: making an API key: %w", err)
	}
	// The "k" keeps it from beginning as another kind of token does.
	return keyPrefix + "k" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])), nil
}
