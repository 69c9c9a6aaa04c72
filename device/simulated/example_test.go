package simulated_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/customerportal-go/customerportal/device"
	"github.com/customerportal-go/customerportal/device/simulated"
)

func Example() {
	world := simulated.New(simulated.Options{Seed: 1})
	world.AddLogin(simulated.Login{User: "anna", Password: "correct horse"})
	world.AddDevice("anna", simulated.Lock("lock-101", "Room 101"))

	ctx := context.Background()
	conn, err := world.Provider("example").Open(ctx, world.Account("anna"))
	if err != nil {
		panic(err)
	}
	defer conn.Close()

	outcome, err := conn.Do(ctx, "lock-101", device.Command{Kind: device.Unlock})
	fmt.Println("confirmed:", outcome.Confirmed, err)

	world.SetFaults("lock-101", simulated.Faults{Deaf: true})
	outcome, err = conn.Do(ctx, "lock-101", device.Command{Kind: device.Lock})
	fmt.Println("confirmed:", outcome.Confirmed, err)

	world.SetFaults("lock-101", simulated.Faults{Offline: true})
	_, err = conn.Do(ctx, "lock-101", device.Command{Kind: device.Lock})
	fmt.Println("offline:", errors.Is(err, device.ErrOffline))
	// Output:
	// confirmed: true <nil>
	// confirmed: false <nil>
	// offline: true
}
