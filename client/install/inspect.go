package install

import "errors"

// ErrAbsent is returned where the daemon is no service.
var ErrAbsent = errors.New("the daemon is not installed as a service")

// A Defect is what is wrong with the service, and what to type.
type Defect struct{ What, Fix string }
