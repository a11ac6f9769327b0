package harden

// Client hides the memory of a verb that holds a key or values for a moment from other
// programs of its user, as far as that is for this process alone: what it starts, such
// as a browser, is as ever. It costs a system call.
func Client() { hide() }
