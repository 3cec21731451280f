//go:build !unix

package streams

import "os"

// lockDir makes the directory. goleveldb locks each database by itself.
func lockDir(dir string) (unlock func(), err error) {
	return func() {}, os.MkdirAll(dir, 0o755)
}
