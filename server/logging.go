package server

import (
	"fmt"
	"io"
	"log/slog"
)

// parseLevel reads the level of the log. The empty text is "info".
func parseLevel(s string) (slog.Level, error) {
	switch s {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log level %q: want debug, info, warn or error", s)
}

// The forms of the log.
const (
	logText = "text"
	logJSON = "json"
)

func checkLogFormat(s string) error {
	if s != "" && s != logText && s != logJSON {
		return fmt.Errorf("log format %q: want text or json", s)
	}
	return nil
}

// newLog returns a log whose level can change.
func newLog(w io.Writer, format string, level *slog.LevelVar) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == logJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
