package main

import (
	"sync/atomic"
	"time"
)

// clock is the clock of the server, which tests move forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// move moves the clock forward by a duration, or not if that is empty, and returns its time.
func (c *clock) move(by string) (time.Time, error) {
	if by != "" {
		d, err := time.ParseDuration(by)
		if err != nil {
			return time.Time{}, err
		}
		c.ahead.Add(int64(d))
	}
	return c.Now().UTC(), nil
}
