// Package all lists every connector that Millrace brings. Who wants fewer
// writes a list of their own.
package all
