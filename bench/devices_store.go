package main

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/customerportal-go/customerportal/internal/layout"
	"github.com/customerportal-go/customerportal/storage"
)

// deviceRowCounter counts the committed writes of rows of devices and of their states, except those of markers.
type deviceRowCounter struct {
	storage.Store
	states, devices atomic.Int64
	markers         sync.Map // the ids of markers
}

func (s *deviceRowCounter) Update(ctx context.Context, fn func(storage.Tx) error, reads ...[]byte) error {
	var own deviceRowCountingTx
	err := s.Store.Update(ctx, func(tx storage.Tx) error {
		own = deviceRowCountingTx{Tx: tx, s: s}
		return fn(&own)
	}, reads...)
	if err == nil {
		s.states.Add(own.states)
		s.devices.Add(own.devices)
	}
	return err
}

// take returns the numbers and sets them to zero.
func (s *deviceRowCounter) take() (states, devices int) {
	return int(s.states.Swap(0)), int(s.devices.Swap(0))
}

type deviceRowCountingTx struct {
	storage.Tx
	s               *deviceRowCounter
	states, devices int64
}

func (tx *deviceRowCountingTx) Put(key, value []byte) error {
	parsed := layout.Parse(key)
	if _, marker := tx.s.markers.Load(parsed.ID); !marker {
		switch parsed.Shape {
		case layout.ShapeDeviceState:
			tx.states++
		case layout.ShapeDevice:
			tx.devices++
		}
	}
	return tx.Tx.Put(key, value)
}
