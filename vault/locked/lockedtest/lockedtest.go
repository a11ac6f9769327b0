// Package lockedtest looks for keys in the memory of another process, as an
// attacker with root's powers would. A test starts a child that uses its keys,
// calls [Scan] on it, and so learns whether a copy of one lies anywhere but in
// locked memory.
//
// It works on Linux only.
package lockedtest
