package zigbee2mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/device"
)

func TestConnect_TLS_VerifiesTheCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	certificate := httptest.NewTLSServer(nil)
	t.Cleanup(certificate.Close)
	front, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certificate.TLS.Certificates})
	require.NoError(t, err)
	var forwarding sync.WaitGroup
	forwarding.Go(func() {
		for {
			in, err := front.Accept()
			if err != nil {
				return
			}
			forwarding.Go(func() { forward(in, w.listener.Addr().String()) })
		}
	})
	t.Cleanup(func() { _ = front.Close(); forwarding.Wait() })
	w.answers["url"] = "mqtts://" + front.Addr().String()

	pane, err := w.provider.Connect(t.Context(), answers(w.answers))
	require.NoError(t, err)
	require.NotNil(t, pane.Form)
	require.Equal(t, device.ProblemUnreachable, pane.Form.Fields[0].Problem, "an unknown certificate")

	w.provider.roots = x509.NewCertPool()
	w.provider.roots.AddCert(certificate.Certificate())
	c := w.open(t)
	_, err = c.Do(t.Context(), testLock, device.Command{Kind: device.Unlock})
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// forward copies between a connection and an address until one of them ends.
func forward(in net.Conn, address string) {
	defer in.Close()
	out, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		defer in.Close()
		_, _ = io.Copy(in, out)
	}()
	_, _ = io.Copy(out, in)
}
