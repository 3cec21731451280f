// Command startup measures what a user of millrace dev waits for and what it
// costs to leave it running: the time from exec to the first acked produce,
// and the resident memory ten seconds after everything is ready, with no
// client connected.
//
//	go run ./test/startup bin/millrace
package main
