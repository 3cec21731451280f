package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// FloorCommand is the hidden command of millrace that serves a Floor.
const FloorCommand = "floor"

// RunFloor is that command: it serves on a free port of loopback, prints the
// address, and ends when in does, so that it never outlives its parent.
func RunFloor(ctx context.Context, f Floor, in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return err
	}
	return f.Serve(ctx, l)
}

// floorProcess is a Floor in a process of its own, so that what it uses can be
// told from what the load uses.
type floorProcess struct {
	cmd     *exec.Cmd
	in      io.Closer
	address string
}

// startFloor starts this executable once more.
func startFloor(ctx context.Context, f Floor) (*floorProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"bench", FloorCommand, "--dir", f.Dir, "--file", f.File, "--chunk", strconv.Itoa(f.Chunk)}
	if f.Copy {
		args = append(args, "--copy")
	}
	p := &floorProcess{cmd: exec.CommandContext(ctx, self, args...)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("the probe's server did not start: %w", err)
	}
	p.address = strings.TrimSpace(line)
	return p, nil
}

func (p *floorProcess) stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait() // how it ends says nothing about what was measured
}

// onFloor runs a load against a floor.
func onFloor(ctx context.Context, f Floor, run func(p *floorProcess) (Sample, error)) (Sample, error) {
	p, err := startFloor(ctx, f)
	if err != nil {
		return Sample{}, err
	}
	defer p.stop()
	return run(p)
}

// Floor runs the load against the floor instead of a target. It appends below
// dir; with an empty dir it appends nothing.
func (p RawProduce) Floor(ctx context.Context, dir string) (Sample, error) {
	if dir != "" {
		own, err := os.MkdirTemp(dir, "floor-")
		if err != nil {
			return Sample{}, err
		}
		defer os.RemoveAll(own)
		dir = own
	}
	return onFloor(ctx, Floor{Dir: dir}, func(server *floorProcess) (Sample, error) {
		made := topic{name: "bench-floor", partitions: p.Partitions, address: server.address}
		return p.run(ctx, made, server.cmd.Process.Pid, plainDial)
	})
}

func plainDial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// Floor sends as many bytes as the load reads from a file to sockets, by
// sendfile or through memory.
func (f RawFetch) Floor(ctx context.Context, dir string, copying bool) (Sample, error) {
	file, err := sourceFile(dir, f.Fill.Limit.Bytes)
	if err != nil {
		return Sample{}, err
	}
	defer os.Remove(file)
	return onFloor(ctx, Floor{File: file, Chunk: f.MaxBytes, Copy: copying}, func(server *floorProcess) (Sample, error) {
		readers := make([]*reader, f.Partitions)
		for i := range readers {
			nc, err := plainDial(ctx, server.address)
			if err != nil {
				return Sample{}, err
			}
			defer nc.Close()
			readers[i] = newReader(nc, "bench-floor", i, f.MaxBytes)
			readers[i].opaque, readers[i].end = true, f.Fill.Limit.Bytes/int64(f.Partitions)
		}
		return measured(server.cmd.Process.Pid, func() (Sample, error) { return runReaders(ctx, readers) })
	})
}

// sourceFile writes a file to send from; it is in the page cache then.
func sourceFile(dir string, size int64) (string, error) {
	f, err := os.CreateTemp(dir, "bench-source-")
	if err != nil {
		return "", err
	}
	defer f.Close()
	for chunk := payload(1 << 20); size > 0; size -= int64(len(chunk)) {
		if _, err := f.Write(chunk); err != nil {
			_ = os.Remove(f.Name())
			return "", err
		}
	}
	return f.Name(), nil
}
