// Package query finds committed values in the stores of the tasks that run in
// this process.
package query
