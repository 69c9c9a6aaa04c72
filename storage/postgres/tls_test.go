package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/storage/postgres"
	"github.com/customerportal-go/customerportal/storage/postgres/postgrestest"
)

// authority is a certificate authority.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string // contains the certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a := &authority{t: t, key: key, file: filepath.Join(t.TempDir(), "ca.crt")}
	a.certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	require.NoError(t, os.WriteFile(a.file, a.sign(a.certificate, &key.PublicKey), 0o600))
	return a
}

// sign returns a certificate in the PEM format.
func (a *authority) sign(template *x509.Certificate, key *ecdsa.PublicKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	require.NoError(a.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// issue returns a certificate for a host name and its key in the PEM format.
func (a *authority) issue(host string) (certificate, key []byte) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	der, err := x509.MarshalPKCS8PrivateKey(secret)
	require.NoError(a.t, err)
	return a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, &secret.PublicKey), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestOpen_TLS_VerifiesTheServer connects to a server with a certificate for the name localhost.
func TestOpen_TLS_VerifiesTheServer(t *testing.T) {
	t.Parallel()
	trusted, other := newAuthority(t), newAuthority(t)
	cluster, address, err := postgrestest.StartTLSCluster(trusted.issue("localhost"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cluster.Stop()) })
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	urlOf := func(host, mode string, a *authority) string {
		parameters := url.Values{"sslmode": {mode}, "sslrootcert": {a.file}}
		return "postgres://postgres:secret@" + net.JoinHostPort(host, port) + "/postgres?" + parameters.Encode()
	}
	o := postgrestest.Options(t)

	valid := urlOf("localhost", "verify-full", trusted)
	store := openWith(t, valid, o)
	put(t, store, "a", "1")
	require.Equal(t, map[string]string{"a": "1"}, rowsOf(t, store))
	conn, err := pgx.Connect(t.Context(), valid)
	require.NoError(t, err)
	var encrypted, all bool
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*) > 1, bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where client_addr is not null").Scan(&all, &encrypted))
	require.NoError(t, conn.Close(t.Context()))
	require.True(t, all && encrypted, "the connections of the store use TLS")

	for name, refused := range map[string]struct{ url, reason string }{
		"another authority":      {urlOf("localhost", "verify-full", other), "signed by unknown authority"},
		"another name":           {urlOf("127.0.0.1", "verify-full", trusted), "cannot validate certificate for 127.0.0.1"},
		"authority without name": {urlOf("127.0.0.1", "verify-ca", other), "signed by unknown authority"},
		"no TLS":                 {urlOf("localhost", "disable", trusted), "SQLSTATE 28000"},
	} {
		_, err := postgres.Open(t.Context(), refused.url, o)
		require.ErrorContains(t, err, refused.reason, name)
		require.NotContains(t, err.Error(), "secret", name)
	}
	openWith(t, urlOf("127.0.0.1", "verify-ca", trusted), o) // does not verify the name
}
