package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/customerportal-go/customerportal/access"
	"github.com/customerportal-go/customerportal/data"
	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
	"github.com/customerportal-go/customerportal/keys"
	"github.com/customerportal-go/customerportal/storage/badger"
)

func TestServe_SimulatedDevices_StartAndStop(t *testing.T) {
	t.Parallel()
	s := start(t, nil, stores, "-store", "memory:", "-drivers", "simulated")
	require.Equal(t, []any{"simulated"}, s.wait("serving")["drivers"])
	s.stop()
}

func TestServe_RealDrivers_StartAndStop(t *testing.T) {
	t.Parallel()
	s := start(t, nil, stores, "-store", "memory:", "-drivers", "simulated,zigbee2mqtt,zwave_js", "-allow-hosts", "127.0.0.1, 192.0.2.0/24")
	require.Equal(t, []any{"simulated", "zigbee2mqtt", "zwave_js"}, s.wait("serving")["drivers"])
	s.stop()
}

func TestRun_WrongAllowHosts_ExitsWithStatus2(t *testing.T) {
	t.Parallel()
	status, _, stderr := run(t.Context(), complete(), "-store", "memory:", "-allow-hosts", "127.0.0.1:1883")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, `-allow-hosts: zigbee2mqtt: "127.0.0.1:1883" in AllowedHosts is not an IP address`)
}

// connectSimulated connects the simulated account to a customer in the Badger directory, as the server does.
func connectSimulated(t *testing.T, dir string) {
	t.Helper()
	master := bytes.Repeat([]byte{1}, 32)
	master[0]++ // the key of testMaster(1)
	ring, err := keys.New(0, map[int][]byte{0: master})
	require.NoError(t, err)
	store, err := badger.Open(dir, badger.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	db := data.Open(store, data.Options{Logger: slog.New(slog.DiscardHandler)})
	workspace := uuid.MustParse(testWorkspace)
	_, err = db.Workspace(workspace).Push(t.Context(), data.CustomerData{CustomerKey: "hotel"})
	require.NoError(t, err)
	provider, _ := openSimulated()
	devices, err := access.New(db, access.Options{Keys: ring, Providers: []device.Provider{provider}})
	require.NoError(t, err)
	pane, err := devices.Workspace(workspace).Customer("hotel").Connect(t.Context(), access.ConnectStep{
		Provider: simulated.Key, Answers: map[string]device.Secret{
			"username": device.NewSecret(simulatedUser), "password": device.NewSecret(simulatedPassword),
		},
	})
	require.NoError(t, err)
	require.NotNil(t, pane.Account)
}

// The key of the account's secret is missing, so the server could never open the account again.
func TestServe_KeyOfAnAccountIsMissing_ExitsWithStatus1(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	connectSimulated(t, dir)
	variables := complete()
	variables[keysVariable] = "1:" + testMaster(2)
	for _, args := range [][]string{nil, {"-drivers", "simulated"}} {
		status, _, stderr := run(t.Context(), variables, append([]string{"-addr", "127.0.0.1:0", "-store", "badger:" + dir}, args...)...)
		require.Equal(t, exitFailed, status)
		require.Contains(t, stderr, "a key slot is in use")
		require.Contains(t, stderr, "slot 0")
	}

	variables[keysVariable] += ",0:" + testMaster(1)
	start(t, variables, stores, "-store", "badger:"+dir, "-drivers", "simulated").stop()
}
