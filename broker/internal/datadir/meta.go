package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/internal/vfs"
)

const (
	metaFile      = "meta.properties"
	partitionFile = "partition.metadata"
	metaVersion   = "1"
)

// Meta is the identity of a data directory (meta.properties).
type Meta struct {
	// ClusterID is empty until the cluster has one.
	ClusterID string
	// NodeID is the broker's.
	NodeID int32
	// DirectoryID tells incarnations of a disk apart (KIP-858): a node that
	// lost its disk is not its old self.
	DirectoryID string
}

// Meta is the directory's identity.
func (d *Dir) Meta() Meta {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.meta
}

// SetClusterID notes which cluster the directory belongs to, once that is
// known. Another one than before is refused.
func (d *Dir) SetClusterID(id string) error {
	meta := d.Meta()
	switch {
	case meta.ClusterID == id:
		return nil
	case meta.ClusterID != "":
		return fmt.Errorf("%w: %s is of cluster %s, not %s", ErrForeign, d.root, meta.ClusterID, id)
	}
	meta.ClusterID = id
	if err := d.writeMeta(meta); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.meta = meta
	return nil
}

// identify reads the identity, or gives the directory one.
func (d *Dir) identify() (Meta, error) {
	name := path.Join(d.root, metaFile)
	b, err := vfs.ReadFile(d.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.beginCheckpoint(); err != nil {
			return Meta{}, err
		}
		meta := Meta{NodeID: d.options.NodeID, DirectoryID: d.options.NewID()}
		return meta, d.writeMeta(meta)
	}
	if err != nil {
		return Meta{}, err
	}
	meta, err := parseMeta(name, b)
	if err != nil {
		return Meta{}, err
	}
	if meta.NodeID != d.options.NodeID {
		return Meta{}, fmt.Errorf("%w: it is of node %d, this is node %d; set the node id, or choose another directory", ErrForeign, meta.NodeID, d.options.NodeID)
	}
	if meta.DirectoryID == "" { // Written by a version of Kafka before 3.7.
		meta.DirectoryID = d.options.NewID()
		return meta, d.writeMeta(meta)
	}
	return meta, nil
}

// beginCheckpoint makes an empty checkpoint of recovery points in a directory
// that is new: one that lacks later was lost.
func (d *Dir) beginCheckpoint() error {
	if logs, err := d.LogNames(); err != nil || len(logs) > 0 {
		return err
	}
	name := path.Join(d.root, recoveryPointFile)
	if _, err := d.fs.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return vfs.WriteFile(d.fs, name, []byte(formatCheckpoint(nil, fields()[0])))
}

func (d *Dir) writeMeta(m Meta) error {
	var b strings.Builder
	fmt.Fprintf(&b, "version=%s\n", metaVersion)
	if m.ClusterID != "" {
		fmt.Fprintf(&b, "cluster.id=%s\n", m.ClusterID)
	}
	fmt.Fprintf(&b, "node.id=%d\ndirectory.id=%s\n", m.NodeID, m.DirectoryID)
	return vfs.WriteFile(d.fs, path.Join(d.root, metaFile), []byte(b.String()))
}

func parseMeta(file string, b []byte) (Meta, error) {
	values, err := parseProperties(file, b, '=')
	if err != nil {
		return Meta{}, err
	}
	if v := values["version"]; v != metaVersion {
		return Meta{}, &FormatError{file, 0, fmt.Sprintf("version is %q, only %s is known", v, metaVersion)}
	}
	node, err := strconv.ParseInt(values["node.id"], 10, 32)
	if err != nil {
		return Meta{}, &FormatError{file, 0, fmt.Sprintf("node.id is %q, no number", values["node.id"])}
	}
	return Meta{ClusterID: values["cluster.id"], NodeID: int32(node), DirectoryID: values["directory.id"]}, nil
}

// parseProperties reads lines of a key and a value. Empty lines and comments
// are skipped, as Java's Properties does.
func parseProperties(file string, b []byte, separator byte) (map[string]string, error) {
	values := map[string]string{}
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, ok := strings.Cut(line, string(separator))
		if !ok {
			return nil, &FormatError{file, i + 1, fmt.Sprintf("no %q in %q", separator, line)}
		}
		values[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return values, nil
}

// TopicID reads which topic a partition's directory belongs to; "" where
// nothing says so.
func (d *Dir) TopicID(name string) (string, error) {
	file := path.Join(d.root, name, partitionFile)
	b, err := vfs.ReadFile(d.fs, file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	values, err := parseProperties(file, b, ':')
	if err != nil {
		return "", err
	}
	if v := values["version"]; v != "0" {
		return "", &FormatError{file, 0, fmt.Sprintf("version is %q, only 0 is known", v)}
	}
	return values["topic_id"], nil
}

// SetTopicID notes which topic a partition's directory belongs to, and makes
// the directory where there is none. Marks of an older topic of that name are
// gone when it returns: the next start would take them for this one's, and scan
// too little.
func (d *Dir) SetTopicID(name, id string) error {
	if err := d.dropMarks(name); err != nil {
		return err
	}
	dir := path.Join(d.root, name)
	if err := d.fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := vfs.WriteFile(d.fs, path.Join(dir, partitionFile), fmt.Appendf(nil, "version: 0\ntopic_id: %s\n", id)); err != nil {
		return err
	}
	return d.fs.SyncDir(d.root)
}
