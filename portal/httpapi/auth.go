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

// Authenticator returns the workspace of a request. For an error that matches [ErrUnauthorized], the status of the response is
// 401. Any other error is a failure of the host, for which the status is 500. The handler calls the Authenticator before it
// reads the body.
type Authenticator func(*http.Request) (workspaceID uuid.UUID, err error)

// ErrUnauthorized is the error of a request without valid credentials.
var ErrUnauthorized = errors.New("httpapi: unauthorized")

// WorkspaceHeader is the name of the request header that selects the workspace by its id. It is required with an access token,
// and optional with an API key.
const WorkspaceHeader = "seam-workspace"

// The prefixes by which the official SDKs recognize credentials.
const (
	keyPrefix         = "seam_"
	accessTokenPrefix = "seam_at"
)

// otherPrefixes are the prefixes of credentials that begin with keyPrefix but are not API keys for the official SDKs.
var otherPrefixes = []string{accessTokenPrefix, "seam_cst", "seam_pk"}

// minSecretLength is the minimum length of a key or token after its prefix.
const minSecretLength = 16

// Credentials are the keys and tokens of a host whose credentials do not change while it runs.
type Credentials struct {
	// APIKeys maps each API key, which must have the form that CheckAPIKey requires, to its workspace.
	APIKeys map[string]uuid.UUID

	// AccessTokens maps each personal access token to its workspaces. A token must start with "seam_at" followed by at least 16
	// characters. A request with a token names one of the workspaces in the header "seam-workspace".
	AccessTokens map[string][]uuid.UUID
}

// Format writes "[redacted]" instead of the keys, for every verb of package fmt.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]", which is also what JSON and slog contain.
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const redacted = "[redacted]"

// credential is the stored form of a key or token.
type credential struct {
	hash       [sha256.Size]byte
	workspaces []uuid.UUID
	isToken    bool // a request with a token must have the header WorkspaceHeader
}

// CheckAPIKey returns an error if a text cannot be an API key. A key must start with "seam_" followed by at least 16 characters.
// It must not start with "seam_at", "seam_cst" or "seam_pk", because the official SDKs treat those as other kinds of tokens. The
// error contains the rule but not the key. [NewAPIKey] creates a key.
func CheckAPIKey(key string) error {
	if !strings.HasPrefix(key, keyPrefix) || len(key) < len(keyPrefix)+minSecretLength {
		return fmt.Errorf("must start with %q followed by at least %d characters", keyPrefix, minSecretLength)
	}
	for _, prefix := range otherPrefixes {
		if strings.HasPrefix(key, prefix) {
			return fmt.Errorf("starts with %q, which the SDKs treat as another kind of token: use other letters after %q", prefix, keyPrefix)
		}
	}
	return nil
}

// Static returns an Authenticator for the credentials. It keeps only their hashes. If there are no credentials, it refuses every
// request. The error names the workspace of an invalid key or token, but does not contain the key or token.
func (c Credentials) Static() (Authenticator, error) {
	var known []credential
	for key, workspace := range c.APIKeys {
		if err := CheckAPIKey(key); err != nil {
			return nil, fmt.Errorf("httpapi: the API key of workspace %s %w", workspace, err)
		}
		known = append(known, credential{sha256.Sum256([]byte(key)), []uuid.UUID{workspace}, false})
	}
	for token, workspaces := range c.AccessTokens {
		if !strings.HasPrefix(token, accessTokenPrefix) || len(token) < len(accessTokenPrefix)+minSecretLength {
			return nil, fmt.Errorf("httpapi: the access token of workspaces %v must start with %q followed by at least %d characters",
				workspaces, accessTokenPrefix, minSecretLength)
		}
		known = append(known, credential{sha256.Sum256([]byte(token)), slices.Clone(workspaces), true})
	}
	return func(r *http.Request) (uuid.UUID, error) { return authenticate(known, r) }, nil
}

// authenticate returns the workspace of a request, or ErrUnauthorized.
func authenticate(known []credential, r *http.Request) (uuid.UUID, error) {
	authorization := r.Header.Values("Authorization")
	if len(authorization) != 1 {
		return uuid.Nil, ErrUnauthorized
	}
	scheme, secret, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return uuid.Nil, ErrUnauthorized
	}
	hash := sha256.Sum256([]byte(secret))
	found := -1
	for i := range known { // compare with all of them, so that the duration does not depend on the key
		if subtle.ConstantTimeCompare(hash[:], known[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return uuid.Nil, ErrUnauthorized
	}
	workspace := r.Header.Values(WorkspaceHeader)
	if len(workspace) == 0 && !known[found].isToken {
		return known[found].workspaces[0], nil
	}
	if len(workspace) != 1 {
		return uuid.Nil, ErrUnauthorized
	}
	id, err := uuid.Parse(workspace[0])
	if err != nil || !slices.Contains(known[found].workspaces, id) {
		return uuid.Nil, ErrUnauthorized
	}
	return id, nil
}

// NewAPIKey returns a new API key of 128 random bits.
func NewAPIKey() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("httpapi: creating an API key: %w", err)
	}
	// The "k" keeps the key from starting with one of otherPrefixes.
	return keyPrefix + "k" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])), nil
}
