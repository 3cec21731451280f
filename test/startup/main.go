package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/internal/proc"
)

const (
	starts = 9
	idle   = 10 * time.Second
	bound  = time.Minute // on any one start
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: startup BINARY")
		os.Exit(2)
	}
	if err := measure(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "startup:", err)
		os.Exit(1)
	}
}

func measure(binary string) error {
	var acked, ready []time.Duration
	for range starts {
		s, err := start(binary)
		if err != nil {
			return err
		}
		acked, ready = append(acked, s.acked), append(ready, s.ready)
		if err := s.end(); err != nil {
			return err
		}
	}
	report("dev: exec to first acked produce", acked, "goal 150 ms")
	report("dev: exec to everything ready", ready, "goal 300 ms")
	return memory(binary)
}

func report(what string, times []time.Duration, goal string) {
	slices.Sort(times)
	fmt.Printf("%-36s min %d ms, median %d ms, max %d ms (%d starts; %s)\n", what,
		times[0].Milliseconds(), times[len(times)/2].Milliseconds(), times[len(times)-1].Milliseconds(), len(times), goal)
}

// memory reports VmRSS of a node that nobody uses.
func memory(binary string) error {
	s, err := start(binary)
	if err != nil {
		return err
	}
	<-time.After(idle)
	used, err := proc.Of(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	fmt.Printf("%-36s %.1f MB (VmRSS %s after ready; goal 80 MB)\n", "dev: idle with everything on", float64(used.Resident)/1e6, idle)
	return s.end()
}

// started is a running millrace dev.
type started struct {
	cmd          *exec.Cmd
	dir          string
	acked, ready time.Duration // since exec
}

// start runs millrace dev on a directory of its own, produces one record as
// soon as the address of Kafka is printed, and waits for the ready line. The
// client is made before the clock starts: it belongs to the user's process.
func start(binary string) (*started, error) {
	dir, err := os.MkdirTemp("", "millrace-startup-")
	if err != nil {
		return nil, err
	}
	s := &started{cmd: exec.Command(binary, "dev", "--port", "0", "--data", filepath.Join(dir, "data")), dir: dir}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "kafka":
			if err := produce(strings.TrimSpace(rest)); err != nil {
				return nil, fmt.Errorf("first produce: %w", err)
			}
			s.acked = time.Since(began)
		case "ready":
			s.ready = time.Since(began)
			go func() { _, _ = io.Copy(io.Discard, out) }() // nothing more is expected; a full pipe would stop the node
			return s, nil
		}
	}
	return nil, fmt.Errorf("millrace dev ended before it was ready: %w", s.cmd.Wait())
}

// produce creates a topic and writes its first record. A topic that is made on
// first use would measure the client: it waits a quarter of a second before it
// asks again.
func produce(address string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordDeliveryTimeout(bound))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(context.Background(), 1, 1, nil, "startup"); err != nil {
		return err
	}
	record := &kgo.Record{Topic: "startup", Value: []byte("first")}
	return client.ProduceSync(context.Background(), record).FirstErr()
}

func (s *started) end() error {
	defer os.RemoveAll(s.dir)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("millrace dev did not end cleanly: %w", err)
	}
	return nil
}
