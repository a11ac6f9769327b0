// Package api holds what travels between a cortex server and its clients: one
// request and one answer type per route, the error form, the timestamps and
// the values that must not be printed. Server and client share it, so an
// error means the same on both sides of the wire. It imports only the standard
// library and contains no rules: validation is the server's.
//
// Members the protocol calls nullable are pointers without omitempty, so that
// they are always present in an answer. Unknown members are ignored on both
// sides.
package api
