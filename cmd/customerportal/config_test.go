package main

import (
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestRun_WrongFlagOrVariable_ExitsWithStatus2 requires that each fault is reported by name and before anything is created.
func TestRun_WrongFlagOrVariable_ExitsWithStatus2(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args      []string
		variables map[string]string // empty values unset a variable
		want      string
	}{
		"unknown flag":            {args: []string{"-nope"}, want: "flag provided but not defined: -nope"},
		"argument":                {args: []string{"serve"}, want: `unexpected argument "serve"`},
		"address without port":    {args: []string{"-addr", "localhost"}, want: `-addr must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080, not "localhost"`},
		"address with a name":     {args: []string{"-addr", "localhost:http"}, want: "-addr must be HOST:PORT"},
		"address with no port":    {args: []string{"-addr", "localhost:"}, want: "-addr must be HOST:PORT"},
		"address with large port": {args: []string{"-addr", "localhost:65536"}, want: "-addr must be HOST:PORT"},
		"relative base URL":       {args: []string{"-base-url", "portal.example"}, want: "-base-url must be an absolute http or https URL"},
		"base URL of ftp":         {args: []string{"-base-url", "ftp://portal.example"}, want: "-base-url must be an absolute http or https URL"},
		"base URL with query":     {args: []string{"-base-url", "https://portal.example/?a"}, want: "-base-url must be an absolute http or https URL"},
		"base URL with fragment":  {args: []string{"-base-url", "https://portal.example/#a"}, want: "-base-url must be an absolute http or https URL"},
		"base URL not parseable":  {args: []string{"-base-url", "https://portal.example/%zz"}, want: "-base-url must be an absolute http or https URL"},
		"base URL with a space":   {args: []string{"-base-url", "https://portal.example/a b"}, want: `the path of -base-url, "/a%20b", must have no escaped characters`},
		"public http":             {args: []string{"-base-url", "http://portal.example"}, want: `-base-url "http://portal.example/" is http on a public host: use https`},
		"private http":            {args: []string{"-base-url", "http://192.168.1.5"}, want: `-base-url "http://192.168.1.5/" is http: use https, an address of this machine such as http://127.0.0.1, or, for development, -allow-private-http`},
		"no base URL":             {args: []string{"-addr", "192.168.1.5:80"}, want: `set -base-url: the default cannot be used: web: invalid: -base-url "http://192.168.1.5:80/portal/" is http`},
		"wrong proxy":             {args: []string{"-trusted-proxies", "10.0.0.0/8, proxy"}, want: `-trusted-proxies must list addresses and networks such as 10.0.0.0/8, not "proxy"`},
		"empty proxy":             {args: []string{"-trusted-proxies", "10.0.0.1,"}, want: `-trusted-proxies must list addresses and networks such as 10.0.0.0/8, not ""`},
		"no store":                {args: []string{"-store", ""}, want: "-store is required: memory: or badger:DIR or pebble:DIR or postgres://USER@HOST/DATABASE"},
		"store without colon":     {args: []string{"-store", "memory"}, want: "-store must begin with the kind of store and a colon: memory: or badger:DIR or pebble:DIR or postgres://USER@HOST/DATABASE"},
		"unknown store":           {args: []string{"-store", "mysql://h/db"}, want: `-store: unknown kind of store "mysql"; known are memory: or badger:DIR or pebble:DIR or postgres://USER@HOST/DATABASE`},
		"memory with argument":    {args: []string{"-store", "memory:x"}, want: "-store: memory: has no argument"},
		"badger without argument": {args: []string{"-store", "badger:"}, want: "-store: badger: must be followed by a directory"},
		"postgres without server": {args: []string{"-store", "postgres:db"}, want: "-store: postgres: must be followed by a server and a database"},
		"postgres without DB":     {args: []string{"-store", "postgres://user:secret@h"}, want: "-store: postgres: must be followed by a server and a database"},
		"postgres wrong URL":      {args: []string{"-store", "postgres://user:%zz@h/db"}, want: "-store: postgres: must be followed by a server and a database"},
		"postgres wrong query":    {args: []string{"-store", "postgres://h/db?a;b"}, want: "-store: postgres: the parameters of the URL are not valid"},
		"postgres portable=x":     {args: []string{"-store", "postgres://h/db?portable=x"}, want: "-store: postgres: the parameter portable must be true or false"},
		"postgres pgbouncer=x":    {args: []string{"-store", "postgres://h/db?pgbouncer=x"}, want: "-store: postgres: the parameter pgbouncer must be true or false"},
		"pebble without argument": {args: []string{"-store", "pebble:"}, want: "-store: pebble: must be followed by a directory"},
		"badger with URL":         {args: []string{"-store", "badger://data"}, want: "-store: badger: must be followed by a directory"},
		"driver":                  {args: []string{"-drivers", "other"}, want: `-drivers: unknown driver "other"; known are simulated`},
		"log format":              {args: []string{"-log-format", "xml"}, want: `-log-format must be text or json, not "xml"`},
		"shutdown timeout":        {args: []string{"-shutdown-timeout", "0s"}, want: "-shutdown-timeout must be more than 0, not 0s"},
		"shutdown timeout format": {args: []string{"-shutdown-timeout", "20"}, want: `invalid value "20" for flag -shutdown-timeout`},
		"no keys":                 {variables: map[string]string{keysVariable: ""}, want: "-keys or CUSTOMERPORTAL_KEYS is required"},
		"wrong keys":              {variables: map[string]string{keysVariable: "x"}, want: "CUSTOMERPORTAL_KEYS: entry 1 must be SLOT:BASE64"},
		"keys twice":              {args: []string{"-keys", "file"}, want: "-keys and CUSTOMERPORTAL_KEYS are both set; set one of them"},
		"no keys file":            {args: []string{"-keys", "absent/file"}, variables: map[string]string{keysVariable: ""}, want: "-keys absent/file: no such file or directory"},
		"no API key":              {variables: map[string]string{apiKeyVariable: ""}, want: "CUSTOMERPORTAL_API_KEY is required"},
		"wrong API key":           {variables: map[string]string{apiKeyVariable: "secret"}, want: `CUSTOMERPORTAL_API_KEY must start with "seam_" followed by at least 16 characters`},
		"no workspace":            {variables: map[string]string{workspaceVariable: ""}, want: "CUSTOMERPORTAL_WORKSPACE_ID is required"},
		"wrong workspace":         {variables: map[string]string{workspaceVariable: "secret"}, want: "CUSTOMERPORTAL_WORKSPACE_ID must be a UUID that is not zero"},
		"zero workspace":          {variables: map[string]string{workspaceVariable: uuid.Nil.String()}, want: "CUSTOMERPORTAL_WORKSPACE_ID must be a UUID that is not zero"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			variables := complete()
			maps.Copy(variables, test.variables)
			status, stdout, stderr := run(t.Context(), variables, append([]string{"-addr", "127.0.0.1:0", "-store", "badger:" + dir}, test.args...)...)
			require.Equal(t, exitUsage, status, stderr)
			require.Contains(t, stderr, test.want)
			require.Contains(t, stderr, "Run customerportal -h")
			require.NotContains(t, stderr, "secret")
			require.Empty(t, stdout)
			require.NoDirExists(t, dir)
		})
	}
}

func TestRun_SeveralFaults_ListsAll(t *testing.T) {
	t.Parallel()
	status, _, stderr := run(t.Context(), map[string]string{apiKeyVariable: "x"}, "-addr", "x", "-store", "badger:x", "-log-format", "x")
	require.Equal(t, exitUsage, status)
	for _, want := range []string{"-addr must", "-log-format must", "-keys or", apiKeyVariable, workspaceVariable} {
		require.Contains(t, stderr, want)
	}
}

func TestRun_BaseURLWithPassword_IsNotPrinted(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := run(t.Context(), complete(), "-store", "memory:", "-base-url", "https://me:secret@portal.example")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "-base-url must be an absolute http or https URL without user")
	require.NotContains(t, stdout+stderr, "secret")
}

func TestRun_HelpOrVersion_IsPrinted(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := run(t.Context(), nil, "-h")
	require.Equal(t, exitOK, status)
	require.Empty(t, stderr)
	for _, want := range []string{"Usage: customerportal", "-store STORE", "-keys FILE", keysVariable, apiKeyVariable, workspaceVariable, "Exit status"} {
		require.Contains(t, stdout, want)
	}
	status, stdout, stderr = run(t.Context(), nil, "-version")
	require.Equal(t, exitOK, status)
	require.Empty(t, stderr)
	require.Equal(t, version()+"\n", stdout)
}

func TestVersionOf_BuildSettings_NameTheCommit(t *testing.T) {
	t.Parallel()
	require.Equal(t, "(unknown)", versionOf(&debug.BuildInfo{}))
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}}}
	require.Equal(t, "v1.2.3 abc", versionOf(info))
	info.Settings[1].Value = "true"
	require.Equal(t, "v1.2.3 abc+dirty", versionOf(info))
}

func TestRun_StartFails_ExitsWithStatus1(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	status, _, stderr := run(t.Context(), complete(), "-store", "badger:"+file, "-addr", "127.0.0.1:0")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "opening the store: storage/badger: ")

	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	status, _, stderr = run(t.Context(), complete(), "-store", "memory:", "-addr", taken.Addr().String())
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "-addr "+taken.Addr().String())
}

func TestRun_DirectoryInUse_ExitsWithStatus1(t *testing.T) {
	t.Parallel()
	args := []string{"-store", "badger:" + t.TempDir()}
	s := start(t, complete(), stores, args...)
	status, _, stderr := run(t.Context(), complete(), append(args, "-addr", "127.0.0.1:0")...)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "directory is in use by another store")
	s.stop()
}

func TestConfigure_AllInterfacesWithoutBaseURL_Warns(t *testing.T) {
	t.Parallel()
	for addr, warns := range map[string]bool{
		":8080": true, "0.0.0.0:8080": true, "[::]:8080": true, "127.0.0.1:8080": false, "[::1]:8080": false, "localhost:8080": false,
	} {
		p := program{args: []string{"-store", "badger:x", "-addr", addr}, env: env(complete()), stores: stores}
		c, err := p.configure()
		require.NoError(t, err, addr)
		if warns {
			require.Equal(t, []string{"-base-url is not set, so portal links open only on this machine"}, c.warnings, addr)
		} else {
			require.Empty(t, c.warnings, addr)
		}
	}
}

func TestConfigure_PrivateHTTPAllowed_Accepted(t *testing.T) {
	t.Parallel()
	p := program{args: []string{"-store", "memory:", "-base-url", "http://192.168.1.5/portal", "-allow-private-http"}, env: env(complete()), stores: stores}
	c, err := p.configure()
	require.NoError(t, err)
	require.True(t, c.privateHTTP)
}

func TestParseProxies_AddressesAndNetworks_AreNetworks(t *testing.T) {
	t.Parallel()
	got, err := parseProxies("10.0.0.0/8, 192.168.1.1,::1,::ffff:10.1.1.1")
	require.NoError(t, err)
	require.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.1.1/32"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.1.1.1/32"),
	}, got)
	got, err = parseProxies("")
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestParseDrivers_KnownNames_AreReturnedOnce(t *testing.T) {
	t.Parallel()
	known := []driver{{name: "simulated"}, {name: "zigbee2mqtt"}}
	for value, want := range map[string][]string{"": nil, "simulated": {"simulated"}, "zigbee2mqtt, simulated": {"zigbee2mqtt", "simulated"}} {
		got, err := parseDrivers(value, known)
		require.NoError(t, err)
		require.ElementsMatch(t, want, driverNames(got))
	}
	for value, want := range map[string]string{
		"x":                   `-drivers: unknown driver "x"; known are simulated, zigbee2mqtt`,
		"simulated,":          `-drivers: unknown driver ""; known are simulated, zigbee2mqtt`,
		"simulated,simulated": `-drivers names "simulated" twice`,
	} {
		_, err := parseDrivers(value, known)
		require.EqualError(t, err, want)
	}
}

func TestURLOf_AllInterfaces_IsTheLoopbackAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", ":80": "http://127.0.0.1:80", "[::]:8080": "http://127.0.0.1:8080",
		"0.0.0.0:1": "http://127.0.0.1:1", "[::1]:8080": "http://[::1]:8080",
	} {
		require.Equal(t, want, urlOf(addr), addr)
	}
}
