package sim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"

	"github.com/millrace-io/millrace/internal/vfs"
)

// errDead is what a process sees of its disk after its end. Nobody is there to
// see it: it only makes the code under test return.
var errDead = errors.New("sim: the process is dead")

// errBroken is what a disk says that fails.
var errBroken = fmt.Errorf("sim: broken disk: %w", syscall.EIO)

// ending is how a process ends.
type ending uint8

const (
	running   ending = iota
	killed           // the process dies, the page cache lives on
	powerLoss        // what was not synced is kept, dropped or torn
)

func (e ending) String() string {
	return [...]string{"running", "killed", "power loss"}[e]
}

// disk is the filesystem of one life of the node. It counts the operations
// that change something, and at a chosen one the life ends: neither that
// operation nor any later one happens.
type disk struct {
	*vfs.Fault
	mem   *vfs.Mem
	rng   *rand.Rand // of what a loss of power leaves
	locks []io.Closer

	ops    int // that change something, so far
	endAt  int // ops at which the life ends; 0 for never
	endBy  ending
	ended  ending
	effect string // the operation that did not happen any more
}

func newDisk(mem *vfs.Mem, rng *rand.Rand) *disk {
	return &disk{Fault: vfs.NewFault(mem), mem: mem, rng: rng}
}

// end chooses the operation, counted from the next one, before which the life
// ends.
func (d *disk) end(by ending, operations int) {
	d.endAt, d.endBy = d.ops+operations, by
}

// die ends the life at once.
func (d *disk) die(by ending, effect string) {
	if d.ended == running {
		d.ended, d.effect = by, effect
	}
}

// reborn is the disk that the next life finds.
func (d *disk) reborn() *disk {
	for _, lock := range d.locks {
		_ = lock.Close() // as the kernel does
	}
	if d.ended == powerLoss {
		return newDisk(d.mem.Crash(d.rng), d.rng)
	}
	return newDisk(d.mem, d.rng)
}

// change is called before every operation that changes something.
func (d *disk) change(effect string) error {
	d.ops++
	if d.endAt != 0 && d.ops >= d.endAt {
		d.die(d.endBy, effect)
	}
	return d.alive()
}

func (d *disk) alive() error {
	if d.ended != running {
		return &fs.PathError{Op: "sim", Path: d.effect, Err: errDead}
	}
	return nil
}

func (d *disk) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	err := d.alive()
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		err = d.change("open " + name)
	}
	if err != nil {
		return nil, err
	}
	f, err := d.Fault.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, disk: d}, nil
}

func (d *disk) Remove(name string) error {
	if err := d.change("remove " + name); err != nil {
		return err
	}
	return d.Fault.Remove(name)
}

func (d *disk) RemoveAll(name string) error {
	if err := d.change("remove all " + name); err != nil {
		return err
	}
	return d.Fault.RemoveAll(name)
}

func (d *disk) Rename(from, to string) error {
	if err := d.change("rename " + to); err != nil {
		return err
	}
	return d.Fault.Rename(from, to)
}

func (d *disk) MkdirAll(dir string, perm fs.FileMode) error {
	if err := d.change("mkdir " + dir); err != nil {
		return err
	}
	return d.Fault.MkdirAll(dir, perm)
}

func (d *disk) SyncDir(dir string) error {
	if err := d.change("sync " + dir); err != nil {
		return err
	}
	return d.Fault.SyncDir(dir)
}

func (d *disk) ReadDir(dir string) ([]fs.DirEntry, error) {
	if err := d.alive(); err != nil {
		return nil, err
	}
	return d.Fault.ReadDir(dir)
}

func (d *disk) Stat(name string) (fs.FileInfo, error) {
	if err := d.alive(); err != nil {
		return nil, err
	}
	return d.Fault.Stat(name)
}

func (d *disk) Lock(name string) (io.Closer, error) {
	if err := d.alive(); err != nil {
		return nil, err
	}
	lock, err := d.Fault.Lock(name)
	if err == nil {
		d.locks = append(d.locks, lock)
	}
	return lock, err
}

// diskFile is a file of one life.
type diskFile struct {
	vfs.File
	disk *disk
}

func (f *diskFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.disk.alive(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.change("write " + f.Name()); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *diskFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	if err := f.disk.change("write " + f.Name()); err != nil {
		return 0, err
	}
	return f.File.WriteVec(bufs, off)
}

func (f *diskFile) Sync() error {
	if err := f.disk.change("sync " + f.Name()); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *diskFile) Truncate(size int64) error {
	if err := f.disk.change("truncate " + f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}
