package locked

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	playPart()
	os.Exit(m.Run())
}
