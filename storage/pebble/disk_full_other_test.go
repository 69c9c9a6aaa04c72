//go:build !linux

package pebble

func runOnSmallDisk() {} // only Linux has a small disk for tests
