package main

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// delayer is a proxy on the loopback device that forwards what it receives from clients after a delay, like a network on which a
// round trip takes longer by this delay. Messages that follow closely are delayed together, so the throughput is not limited.
type delayer struct {
	listener        net.Listener
	network, server string
	delay           time.Duration
}

// startDelayer starts a proxy in front of a server. It ends with Close.
func startDelayer(ctx context.Context, network, server string, delay time.Duration) (*delayer, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &delayer{listener: listener, network: network, server: server, delay: delay}
	go d.serve()
	return d, nil
}

func (d *delayer) Close() error { return d.listener.Close() }

func (d *delayer) serve() {
	for {
		client, err := d.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), d.network, d.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		go func() {
			defer client.Close()
			_, _ = io.Copy(client, server) // until one of them closes the connection
		}()
		go func() {
			defer server.Close()
			_ = forward(server, client, d.delay)
		}()
	}
}

// piece is a part of a stream.
type piece struct {
	bytes []byte
	due   time.Time
}

// forward copies a stream with a delay until its end, or until a write fails.
func forward(to io.Writer, from io.Reader, delay time.Duration) error {
	pieces := make(chan piece, 1024)
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.bytes); err != nil {
				failed <- err
				for range pieces { // so that the reader does not block
				}
				return
			}
		}
	}()
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			pieces <- piece{buffer[:n], time.Now().Add(delay)}
		}
		if err != nil {
			close(pieces)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, <-failed)
		}
	}
}
