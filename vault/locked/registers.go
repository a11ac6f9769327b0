package locked

// clearRegisters overwrites the vector registers, in which the implementations
// of AES and SHA-2 leave keys. It is written in assembly: nothing else can
// name a register.
func clearRegisters()
