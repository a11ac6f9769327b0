package owned

// administrators is no group: here nobody becomes root by being in one.
const administrators = -1
