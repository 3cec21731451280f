// Package docs keeps the documents true. It reads the Markdown of the
// repository, and its tests hold that against the tree:
//
//   - links, and the headings they point to, exist;
//   - what a page names as `path: Name` is declared in that file;
//   - the Go code of a page compiles against the packages as they are;
//   - docs/errors.md has a section for every code, and no other;
//   - the lists of pages are complete, the targets of make exist, and nothing
//     waits to be filled in.
//
// What the pages show of the command is run by the tests of cmd/millrace.
package docs
