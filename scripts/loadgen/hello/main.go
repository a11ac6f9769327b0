// Command hello prints a line: the least that a program in Go does. scripts/bench
// starts it in turn with cortex.
package main

import "fmt"

func main() { fmt.Println("hello") }
