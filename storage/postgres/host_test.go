package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	command "os/exec" // exec is a function of these tests
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal"
	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/storage"
	"github.com/customerportal-go/customerportal/storage/postgres"
)

// envHost makes the test binary run as a host. Its value is a hostConfig.
const envHost = "POSTGRES_TEST_HOST"

// hostConfig describes a process that does the background work of a host: that of package data, portal and access.
type hostConfig struct {
	Name        string // of its calls of devices
	URL, Schema string
	Devices     string // the URL of the devices
	Master      []byte
}

// hostLease is short, because another process takes over so long after one has stopped.
const hostLease = 5 * time.Second

// newApp returns an App that looks for work of other processes often.
func newApp(store storage.Store, master []byte, provider device.Provider, log *slog.Logger) (*customerportal.App, error) {
	const often = 50 * time.Millisecond
	return customerportal.New(customerportal.Options{
		Store: store, BaseURL: "http://127.0.0.1", Master: master, Providers: []device.Provider{provider},
		Data: data.Options{FollowInterval: often, Logger: log}, Access: access.Options{Lease: hostLease, Poll: often, Logger: log},
	})
}

// runHost does the background work until the process gets SIGTERM, or the process of the test has ended.
func runHost(config string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var c hostConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	store, err := postgres.Open(ctx, c.URL, postgres.Options{Schema: c.Schema})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("process", c.Name)
	app, err := newApp(store, c.Master, remoteDevices{c.Devices, c.Name}, log)
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	fmt.Println("ready")
	if err := app.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// host is a process that does background work.
type host struct {
	t    *testing.T
	name string
	cmd  *command.Cmd
	end  func() error // waits for the end of the process
}

func startHost(t *testing.T, c hostConfig) *host {
	t.Helper()
	config, err := json.Marshal(c)
	require.NoError(t, err)
	cmd := command.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envHost+"="+string(config))
	cmd.Stderr = t.Output()
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	h := &host{t: t, name: c.Name, cmd: cmd, end: sync.OnceValue(func() error {
		defer input.Close()
		return cmd.Wait()
	})}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = h.end()
	})
	ready, _ := bufio.NewReader(output).ReadString('\n')
	require.Equal(t, "ready\n", ready)
	return h
}

func (h *host) signal(s syscall.Signal) {
	h.t.Helper()
	require.NoError(h.t, h.cmd.Process.Signal(s))
}

// pause stops the process until resume, and returns when it does not run any more.
func (h *host) pause() {
	h.t.Helper()
	h.signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	_, err := syscall.Wait4(h.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	require.NoError(h.t, err)
	require.True(h.t, status.Stopped(), "%+v", status)
}

func (h *host) resume() {
	h.t.Helper()
	h.signal(syscall.SIGCONT)
}

// kill ends the process at once.
func (h *host) kill() {
	h.t.Helper()
	h.signal(syscall.SIGKILL)
	require.ErrorContains(h.t, h.end(), "signal: killed")
}

// stop ends the process as an operator does.
func (h *host) stop() {
	h.t.Helper()
	h.signal(syscall.SIGTERM)
	require.NoError(h.t, h.end())
}
