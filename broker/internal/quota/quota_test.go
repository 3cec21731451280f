package quota_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quota"
)

// image applies lines such as "user=alice client=<default> producer_byte_rate=100".
func image(t testing.TB, lines ...string) *metadata.Image {
	t.Helper()
	d := (&metadata.Image{}).Edit(1, 1)
	for _, line := range lines {
		var r metadata.QuotaChange
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			part := metadata.EntityName{Kind: metadata.Named, Name: value}
			if value == "<default>" {
				part = metadata.EntityName{Kind: metadata.Defaults}
			}
			switch name {
			case "user":
				r.Entity.User = part
			case "client":
				r.Entity.ClientID = part
			case "ip":
				r.Entity.IP = part
			default:
				rate, err := strconv.ParseFloat(value, 64)
				if err != nil {
					t.Fatal(err)
				}
				r.Key, r.Value = name, &rate
				if err := d.Apply(&r); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return d.Finish()
}

// The scripts are dialogues with a Book.
func TestDialogues(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		book := quota.New(quota.Config{Window: 10 * time.Second, MutationWindow: 10 * time.Second})
		now := time.Unix(1_000_000, 0)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return command(t, book, &now, d)
		})
	})
}

// command understands
//
//	quotas                      the entities, one a line
//	tick 5s                     time passes
//	produce 500 client=a        also fetch, request (seconds), mutation
//	connect 10.0.0.1 [times=2]  says what the last one has to wait
func command(t *testing.T, book *quota.Book, now *time.Time, d *datadriven.TestData) string {
	kinds := map[string]quota.Kind{"produce": quota.Produce, "fetch": quota.Fetch, "request": quota.Request, "mutation": quota.Mutation}
	switch d.Cmd {
	case "quotas":
		book.Update(image(t, strings.Split(strings.TrimSpace(d.Input), "\n")...))
		return "ok\n"
	case "tick":
		passed, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		*now = now.Add(passed)
		return "ok\n"
	case "connect":
		times, last := 1, time.Duration(0)
		if d.HasArg("times") {
			d.ScanArgs(t, "times", &times)
		}
		for range times {
			last = book.Connect(d.CmdArgs[0].Key, *now)
		}
		return fmt.Sprintln(last)
	}
	kind, ok := kinds[d.Cmd]
	if !ok {
		t.Fatalf("unknown command %s", d.Cmd)
	}
	amount, err := strconv.ParseFloat(d.CmdArgs[0].Key, 64)
	if err != nil {
		t.Fatal(err)
	}
	var c quota.Client
	for name, into := range map[string]*string{"user": &c.User, "client": &c.ID} {
		if d.HasArg(name) {
			d.ScanArgs(t, name, into)
		}
	}
	return fmt.Sprintln(book.Charge(kind, c, amount, *now))
}

// Each row adds the entity that comes next in Kafka's order, from the last to
// the first: it must win over all below it.
func TestItem98_QuotaEntitiesMatchInOrder(t *testing.T) {
	order := []string{
		"client=<default>", "client=c", "user=<default>", "user=<default> client=<default>", "user=<default> client=c",
		"user=u", "user=u client=<default>", "user=u client=c",
	}
	var lines []string
	for i, entity := range order {
		rate := i + 1 // bytes per second, each row its own
		lines = append(lines, fmt.Sprintf("%s producer_byte_rate=%d", entity, rate))
		book := quota.New(quota.Config{Window: time.Second})
		book.Update(image(t, lines...))
		// A debt of one second's worth over the window says which rate counts.
		got := book.Charge(quota.Produce, quota.Client{User: "u", ID: "c"}, float64(2*rate), time.Unix(1, 0))
		if got != time.Second {
			t.Errorf("with %q set last, throttled for %v: another entity's rate counted", entity, got)
		}
	}
}

func TestItem98_EachClientOfADefaultHasItsOwnBucket(t *testing.T) {
	book := quota.New(quota.Config{Window: time.Second})
	book.Update(image(t, "client=<default> consumer_byte_rate=10", "user=u producer_byte_rate=10"))
	now := time.Unix(1, 0)
	for _, id := range []string{"a", "b"} {
		if got := book.Charge(quota.Fetch, quota.Client{ID: id}, 10, now); got != 0 {
			t.Errorf("client %s pays for another: %v", id, got)
		}
	}
	book.Charge(quota.Produce, quota.Client{User: "u", ID: "a"}, 10, now)
	if got := book.Charge(quota.Produce, quota.Client{User: "u", ID: "b"}, 10, now); got != time.Second {
		t.Errorf("clients of one user do not share its quota: %v", got)
	}
}

func TestItem12_ConnectionsOfAllAddressesHaveARate(t *testing.T) {
	book := quota.New(quota.Config{Window: time.Second})
	now := time.Unix(1, 0)
	if got := book.Accept(now); got != 0 {
		t.Errorf("without a rate the listener pauses for %v", got)
	}
	book.AcceptRate(2)
	for i, want := range []time.Duration{0, 0, 500 * time.Millisecond} {
		if got := book.Accept(now); got != want {
			t.Errorf("after connection %d the listener pauses for %v, want %v", i+1, got, want)
		}
	}
}

// A million made-up client ids must not stay in memory.
func TestBucketsAreForgotten(t *testing.T) {
	book := quota.New(quota.Config{Window: time.Second})
	book.Update(image(t, "client=<default> producer_byte_rate=10"))
	now := time.Unix(1, 0)
	for i := range 100_000 {
		now = now.Add(10 * time.Millisecond)
		book.Charge(quota.Produce, quota.Client{ID: strconv.Itoa(i)}, 1, now)
	}
	if n := book.Len(); n > 5000 {
		t.Errorf("%d buckets are kept, of clients that have been gone for long", n)
	}
}

func TestChargingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	book := quota.New(quota.Config{})
	charge := func() { book.Charge(quota.Produce, quota.Client{User: "u", ID: "c"}, 1, time.Unix(1, 0)) }
	if n := testing.AllocsPerRun(100, charge); n != 0 {
		t.Errorf("%v allocations without quotas", n)
	}
	book.Update(image(t, "client=<default> producer_byte_rate=1000000"))
	if n := testing.AllocsPerRun(100, charge); n != 0 {
		t.Errorf("%v allocations with a quota", n)
	}
}
