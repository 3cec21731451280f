package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// TestMain is also the worker that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == workerCommand {
		if err := workerMain(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The worker dies with five records of a batch copied and none after them:
// with the commit before the work the other five are never copied, with the
// commit after it the first five are copied twice, and with both in one
// transaction neither.
func TestDelivery(t *testing.T) {
	b := brokertest.Start(t)
	for m, want := range map[mode]count{
		atMostOnce:  {in: records, out: records - 5, lost: 5},
		atLeastOnce: {in: records, out: records + 5, twice: 5},
		exactlyOnce: {in: records, out: records},
	} {
		t.Run(string(m), func(t *testing.T) {
			got, err := prove(t.Context(), b.Addrs(), m)
			if err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("%+v, expected %+v", got, want)
			}
		})
	}
}
