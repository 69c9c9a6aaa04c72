package keys_test

import (
	"fmt"
	"log"

	"github.com/customerportal-go/customerportal/keys"
)

func ExampleNew_rotation() {
	first, err := keys.NewMaster()
	if err != nil {
		log.Fatal(err)
	}
	second, err := keys.NewMaster()
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range []struct {
		active  int
		masters map[int][]byte
	}{
		{0, map[int][]byte{0: first, 1: second}}, // 1. every process has the new master
		{1, map[int][]byte{0: first, 1: second}}, // 2. it signs new links; old links still open
		{1, map[int][]byte{1: second}},           // 3. the last old link has expired
	} {
		ring, err := keys.New(step.active, step.masters)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("active:", ring.Active(), "all:", ring.Slots())
	}
	// Output:
	// active: 0 all: [0 1]
	// active: 1 all: [0 1]
	// active: 1 all: [1]
}
