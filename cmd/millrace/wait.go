package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/internal/ops"
)

// waitable are the parts that can be waited for.
var waitable = []string{"kafka", "registry", "connect", "mirrors"}

func (s *shell) waitCommand() *cobra.Command {
	var parts []string
	var timeout time.Duration
	var admin string
	c := &cobra.Command{Use: "wait", Short: "Wait until a node is ready; exit code 3 when it is not in time", Args: exactly()}
	c.Flags().StringSliceVar(&parts, "for", nil, "parts to wait for: "+strings.Join(waitable, ", ")+"; all of the node without it")
	c.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait")
	c.Flags().StringVar(&admin, "admin", fromEnv("MILLRACE_ADMIN", "127.0.0.1:9644")[0], "address of the admin server")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, p := range parts {
			if err := oneOf(cmd, "--for", p, waitable); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		return waitReady(ctx, strings.TrimPrefix(admin, "http://"), parts)
	}
	return c
}

// waitReady asks the admin server until the parts are ready.
func waitReady(ctx context.Context, admin string, parts []string) error {
	last := "it does not answer"
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		states, err := readiness(ctx, admin)
		switch {
		case ctx.Err() != nil: // the attempt was cut short: what was known before says more
		case err != nil:
			last = err.Error()
		default:
			waiting := missing(states, parts)
			if len(waiting) == 0 {
				return nil
			}
			last = "not ready: " + strings.Join(waiting, ", ")
		}
		select {
		case <-ctx.Done():
			return &ops.Fault{
				Kind: ops.Unreachable, Code: ops.CodeTimeout, Message: fmt.Sprintf("the node with admin server %s is not ready: %s", admin, last),
				Hint: "the admin server has port 9644 unless the node chose another", Try: "--admin HOST:PORT",
			}
		case <-tick.C:
		}
	}
}

func readiness(ctx context.Context, admin string) (map[string]bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz?verbose", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Parts map[string]bool `json:"parts"`
	}
	return answer.Parts, json.NewDecoder(resp.Body).Decode(&answer)
}

// missing lists the wanted parts that are not ready; with none wanted, all.
func missing(states map[string]bool, wanted []string) (waiting []string) {
	if len(wanted) == 0 {
		for part := range states {
			wanted = append(wanted, part)
		}
	}
	for _, part := range wanted {
		name := part
		if part == "kafka" {
			name = "broker"
		}
		if !states[name] {
			waiting = append(waiting, part)
		}
	}
	slices.Sort(waiting)
	return waiting
}
