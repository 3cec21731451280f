package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/internal/node"
)

// readyTimeout bounds how long the parts may take to become ready.
const readyTimeout = time.Minute

func (s *shell) devCommand() *cobra.Command {
	var dir string
	var memory, asJSON bool
	var port int
	c := &cobra.Command{
		Use: "dev", Short: "Run everything on loopback, without authentication", Args: exactly(),
		Long: "Run broker, schema registry and connect on loopback. Without --data and --memory the data lies\nin a temporary directory that is removed at the end. With --port Kafka takes the port, 0 is a\nfree one, and the other parts take free ports.",
	}
	c.Flags().StringVar(&dir, "data", "", "keep the data in this directory")
	c.Flags().BoolVar(&memory, "memory", false, "keep the data in memory")
	c.Flags().IntVar(&port, "port", 9092, "port of Kafka; 0 is a free one")
	c.Flags().BoolVar(&asJSON, "json", false, "print the addresses as one line of JSON, when everything is ready")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case dir != "" && memory:
			return usage(cmd, "--data and --memory exclude each other")
		case port < 0 || port > 65535:
			return usage(cmd, "--port %d: need 0 to 65535", port)
		case !cmd.Flags().Changed("port"):
			port = node.UsualPorts
		}
		if dir == "" && !memory {
			temporary, err := os.MkdirTemp("", "millrace-dev-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(temporary)
			dir = temporary
		}
		cfg := node.Dev(dir, port)
		cfg.Logger = s.logger()
		return s.serve(cmd.Context(), cfg, asJSON)
	}
	return c
}

func (s *shell) startCommand() *cobra.Command {
	var files []string
	c := &cobra.Command{Use: "start", Short: "Run the parts that a configuration file names", Args: exactly()}
	c.Flags().StringArrayVarP(&files, "config", "c", nil, "configuration file")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(files) != 1 {
			return usage(cmd, "millrace start needs one -c FILE")
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			return err
		}
		file, err := node.LoadFile(files[0], data)
		if err != nil {
			return err
		}
		cfg := file.Config()
		cfg.Logger = s.logger()
		return s.serve(cmd.Context(), cfg, false)
	}
	return c
}

// serve runs a node until ctx ends or a part of it fails.
func (s *shell) serve(ctx context.Context, cfg node.Config, asJSON bool) error {
	s.serving = true
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	err = s.announce(ctx, n, asJSON)
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-n.Failed():
		}
	}
	return errors.Join(err, n.Close())
}

// announce prints where the parts are, and the ready line last.
func (s *shell) announce(ctx context.Context, n *node.Node, asJSON bool) error {
	addresses := n.Addresses()
	if !asJSON {
		for _, part := range [][2]string{
			{"kafka", addresses.Kafka}, {"registry", addresses.Registry}, {"connect", addresses.Connect}, {"admin", addresses.Admin},
		} {
			if part[1] != "" {
				fmt.Fprintf(s.out, "%-9s %s\n", part[0], part[1])
			}
		}
	}
	waiting, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := n.Ready(waiting); err != nil {
		if ctx.Err() != nil {
			return nil // ended before it was ready
		}
		return err
	}
	if asJSON {
		return json.NewEncoder(s.out).Encode(addresses)
	}
	_, err := fmt.Fprintf(s.out, "ready after %d ms; Ctrl-C ends it\n", time.Since(s.began).Milliseconds())
	return err
}
