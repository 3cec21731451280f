package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/plugins/all"
	"github.com/millrace-io/millrace/connect/worker"
	"github.com/millrace-io/millrace/internal/ops"
)

func (s *shell) connectCommand() *cobra.Command {
	c := &cobra.Command{Use: "connect", Short: "Run connectors, and list those of a worker"}
	c.AddCommand(s.connectRun(), s.connectList(), s.connectStatus())
	return c
}

func (s *shell) connectRun() *cobra.Command {
	c := &cobra.Command{
		Use: "run FILE", Short: "Run the connectors of a file in the foreground", Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			secrets := connect.Secrets{Any: true}
			connectors, err := connect.Parse(args[0], data, all.List(), secrets)
			if err != nil {
				return err
			}
			w, err := worker.New(worker.Config{
				Cluster: s.profile(), Plugins: all.List(), Connectors: connectors, Secrets: secrets, Logger: s.logger(),
			})
			if err != nil {
				return err
			}
			s.serving = true
			fmt.Fprintf(s.errs, "running %d connectors; Ctrl-C ends it\n", len(connectors))
			return w.Run(cmd.Context())
		},
	}
	return s.onRegistry(s.onCluster(c))
}

// connectorStatus is the REST answer about one connector.
type connectorStatus struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Connector struct {
		State    string `json:"state"`
		WorkerID string `json:"worker_id"`
		Trace    string `json:"trace,omitempty"`
	} `json:"connector"`
	Tasks []struct {
		ID       int    `json:"id"`
		State    string `json:"state"`
		WorkerID string `json:"worker_id"`
		Trace    string `json:"trace,omitempty"`
	} `json:"tasks"`
}

func (s *shell) connectList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List connectors with their states", Args: exactly()}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		var all map[string]struct {
			Status connectorStatus `json:"status"`
		}
		if err := s.askConnect(cmd.Context(), "/connectors?expand=status", &all); err != nil {
			return err
		}
		items := []connectorStatus{}
		v := view{header: []string{"CONNECTOR", "TYPE", "STATE", "TASKS"}}
		for _, name := range sortedKeys(all) {
			st := all[name].Status
			items = append(items, st)
			v.names = append(v.names, name)
			v.rows = append(v.rows, []string{name, st.Type, st.Connector.State, taskSummary(st)})
		}
		v.data = items
		return s.print(v)
	}
	return s.printing(s.onConnect(c))
}

func (s *shell) connectStatus() *cobra.Command {
	c := &cobra.Command{Use: "status CONNECTOR", Short: "Show the state of a connector and its tasks", Args: exactly("CONNECTOR")}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var st connectorStatus
		if err := s.askConnect(cmd.Context(), "/connectors/"+url.PathEscape(args[0])+"/status", &st); err != nil {
			return err
		}
		v := view{data: st, names: []string{st.Name}, header: []string{"PART", "STATE", "WORKER", "ERROR"}}
		v.rows = append(v.rows, []string{"connector", st.Connector.State, st.Connector.WorkerID, firstLine(st.Connector.Trace)})
		for _, t := range st.Tasks {
			v.rows = append(v.rows, []string{fmt.Sprintf("task %d", t.ID), t.State, t.WorkerID, firstLine(t.Trace)})
		}
		return s.print(v)
	}
	return s.printing(s.onConnect(c))
}

func taskSummary(st connectorStatus) string {
	running := 0
	for _, t := range st.Tasks {
		if t.State == "RUNNING" {
			running++
		}
	}
	return fmt.Sprintf("%d/%d running", running, len(st.Tasks))
}

// askConnect asks a worker's REST interface.
func (s *shell) askConnect(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, ops.DefaultTimeout)
	defer cancel()
	base := strings.TrimSuffix(s.connect, "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return usage(nil, "--connect %s: %v", s.connect, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return unreachableConnect(base, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return json.NewDecoder(resp.Body).Decode(into)
	}
	var answer struct {
		Message string `json:"message"`
	}
	_ = json.NewDecoder(resp.Body).Decode(&answer) // an answer that is not Connect's has no message
	f := &ops.Fault{Kind: ops.Failed, Code: ops.CodeConnect, Message: fmt.Sprintf("%s answered %s: %s", base, resp.Status, answer.Message)}
	if resp.StatusCode == http.StatusNotFound {
		f.Kind, f.Code, f.Try = ops.NotFound, ops.CodeNoConnector, "millrace connect list"
	}
	return f
}

func unreachableConnect(base string, err error) error {
	code := ops.CodeUnreachable
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, syscall.ECONNREFUSED) {
		code = ops.CodeTimeout
	}
	return &ops.Fault{
		Kind: ops.Unreachable, Code: code, Message: "cannot reach a connect worker at " + base, Err: err,
		Hint: "does one run there?", Try: "--connect URL",
	}
}
