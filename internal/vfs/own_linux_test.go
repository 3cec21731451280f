package vfs

import "testing"

// One syncfs for all partitions makes everybody on the filesystem wait, so it
// is for directories on filesystems of their own.
func TestOwnFilesystem(t *testing.T) {
	holds := map[string][]string{
		"/":           {"srv", "mnt", "home"},
		"/mnt":        {"volume", "other", "shared"},
		"/mnt/volume": {"lost+found", "millrace"},
		"/mnt/other":  {"millrace", "postgresql"},
	}
	mounts := map[string]uint64{"/": 1, "/mnt/volume": 2, "/mnt/volume/millrace": 2, "/mnt/volume/millrace/data": 2, "/mnt/other": 3, "/mnt/other/millrace": 3}
	device := func(path string) uint64 {
		if n, ok := mounts[path]; ok {
			return n
		}
		return 1
	}
	names := func(dir string) []string {
		if list, ok := holds[dir]; ok {
			return list
		}
		return []string{"data"}
	}
	for dir, want := range map[string]bool{
		"/mnt/volume":               true,
		"/mnt/volume/millrace":      true,
		"/mnt/volume/millrace/data": true,
		"/mnt/other":                true,
		"/mnt/other/millrace":       false,
		"/srv/data":                 false,
		"/":                         false,
	} {
		if got := ownFilesystem(dir, device, names); got != want {
			t.Errorf("%s: %v, want %v", dir, got, want)
		}
	}
	if (OS{}).OwnFilesystem(t.TempDir() + "/missing") {
		t.Error("a directory that does not exist has a filesystem of its own")
	}
}
