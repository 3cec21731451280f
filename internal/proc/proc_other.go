//go:build !linux

package proc

// Listener finds nothing here.
func Listener(int) (Process, bool) { return Process{}, false }

// Of knows nothing here.
func Of(int) (Usage, error) { return Usage{}, ErrUnknown }
