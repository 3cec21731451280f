// Command millrace runs the parts of Millrace and operates on Kafka clusters.
//
//	millrace dev                      everything on, on loopback
//	millrace start -c millrace.yaml   the parts that the file names
//	millrace topic list               and other operations, on any Kafka
//
// Standard output carries data only; progress, warnings and errors go to
// standard error. The exit codes are 0 done, 1 failed, 2 usage or
// configuration, 3 not reachable, 4 not authorised, 5 not found, 6 conflict or
// incompatible, 7 done in part, 130 interrupted.
package main
