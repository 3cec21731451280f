package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const markName = "open"

// left is how a directory was left by its last owner.
type left struct {
	fresh  bool   // there is no database
	marked bool   // it was not closed cleanly
	boot   string // the boot in which it was opened
}

// BootID identifies the machine's boot: a database that was open in another
// boot may have lost what the kernel had not written. It is empty where the
// platform does not tell.
func BootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func readMark(dir string) (left, error) {
	b, err := os.ReadFile(filepath.Join(dir, markName))
	if err == nil {
		return left{marked: true, boot: string(b)}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return left{}, err
	}
	if _, err := os.Stat(filepath.Join(dir, "db")); errors.Is(err, fs.ErrNotExist) {
		return left{fresh: true}, nil
	} else if err != nil {
		return left{}, err
	}
	return left{}, nil
}

// writeMark is durable before the first write to the database, or a power
// failure could lose the mark and keep half of the data.
func writeMark(dir, boot string) error {
	path := filepath.Join(dir, markName)
	if err := os.WriteFile(path, []byte(boot), 0o644); err != nil {
		return err
	}
	return errors.Join(syncPath(path), syncPath(dir))
}

func removeMark(dir string) error {
	if err := os.Remove(filepath.Join(dir, markName)); err != nil {
		return err
	}
	return syncPath(dir)
}
