package file

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// fingerprintBytes is how much of a file's head identifies it. An inode alone
// does not: it is given to the next file once its own is deleted.
const fingerprintBytes = 256

// position is where a path was left, as it is stored.
type position struct {
	inode       int64
	fingerprint string
	covers      int64 // raw bytes that the fingerprint is of
	offset      int64 // in the text, after decompression
}

func (p position) offsetMap() map[string]any {
	return map[string]any{"inode": p.inode, "fingerprint": p.fingerprint, "fingerprint_bytes": p.covers, "offset": p.offset}
}

// storedPosition reads what offsetMap made; false if it was not that.
func storedPosition(m map[string]any) (position, bool) {
	var p position
	var ok [4]bool
	p.inode, ok[0] = m["inode"].(int64)
	p.fingerprint, ok[1] = m["fingerprint"].(string)
	p.covers, ok[2] = m["fingerprint_bytes"].(int64)
	p.offset, ok[3] = m["offset"].(int64)
	return p, ok[0] && ok[1] && ok[2] && ok[3] && p.offset >= 0 && p.covers >= 0
}

func partitionOf(path string) map[string]any { return map[string]any{"path": path} }

func inodeOf(info os.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(stat.Ino)
	}
	return 0
}

// fingerprint hashes the first n bytes; a file that has fewer has another
// fingerprint.
func fingerprint(f io.ReaderAt, n int64) (string, int64, error) {
	head := make([]byte, min(n, fingerprintBytes))
	got, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	sum := sha256.Sum256(head[:got])
	return hex.EncodeToString(sum[:8]), int64(got), nil
}

// is tells whether an open file is the one the position was taken in.
func (p position) is(f *os.File, info os.FileInfo) bool {
	if inodeOf(info) != p.inode || info.Size() < p.covers {
		return false
	}
	print, _, err := fingerprint(f, p.covers)
	return err == nil && print == p.fingerprint
}

// findRenamed looks for the file of a position in the directory of its path:
// rotation renames within it.
func (p position) findRenamed(path string) (*os.File, bool) {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, false
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || inodeOf(info) != p.inode {
			continue
		}
		f, err := os.Open(filepath.Join(dir, entry.Name()))
		if err != nil {
			continue
		}
		if p.is(f, info) {
			return f, true
		}
		_ = f.Close() // another file
	}
	return nil, false
}

func isGlob(path string) bool { return strings.ContainsAny(path, "*?[") }

// matches lists the files of a path or glob. A path that does not exist yet
// gives none.
func matches(pattern string) ([]string, error) {
	if !isGlob(pattern) {
		if _, err := os.Stat(pattern); err != nil {
			if errors.Is(err, os.ErrNotExist) {
				return nil, nil
			}
			return nil, err
		}
		return []string{pattern}, nil
	}
	return filepath.Glob(pattern)
}
