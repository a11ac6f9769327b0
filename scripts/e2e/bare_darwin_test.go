package e2e_test

import "errors"

// strip cannot be done here.
func strip() error { return errors.ErrUnsupported }
