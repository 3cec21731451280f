// Package strictjson reads JSON into a tree that keeps what encoding/json
// drops: the order of an object's members, the exact text of numbers, and where
// in the text each value begins. It refuses what encoding/json lets pass and
// what two readers would understand differently: duplicate keys, text after
// the value, invalid UTF-8, and nesting deep enough to exhaust a stack.
//
// The lexer is encoding/json's own.
package strictjson
