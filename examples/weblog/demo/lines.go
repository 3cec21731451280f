package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// openLog opens a log, through gzip where it begins as gzip does.
func openLog(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(f)
	if magic, _ := in.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return readCloser{in, f}, nil
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return readCloser{z, f}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// countLines counts lines as wc does, and a last one without a newline.
func countLines(path string) (int64, error) {
	in, err := openLog(path)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	var lines int64
	last := byte('\n')
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		lines += int64(bytes.Count(buf[:n], []byte("\n")))
		if n > 0 {
			last = buf[n-1]
		}
		if errors.Is(err, io.EOF) {
			if last != '\n' {
				lines++
			}
			return lines, nil
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
	}
}
