package owned

// administrators is the group admin, whose members can become root, and to which
// much belongs that a user has installed.
const administrators = 80
