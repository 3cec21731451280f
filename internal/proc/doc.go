// Package proc tells what the kernel knows about other processes: which one
// listens on a port, and what CPU time and memory one has used. It reads
// Linux's /proc; elsewhere nothing is known.
package proc
