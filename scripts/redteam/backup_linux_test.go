package redteam

import (
	"encoding/binary"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

var backupMoves = moves{
	"old-backup":       oldBackup,
	"old-backup-alone": oldBackupAlone,
	"unpacked-backup":  unpackedBackup,
}

// backup makes a backup and returns its name.
func (s *site) backup(t *testing.T) string {
	t.Helper()
	file := filepath.Join(s.dir, named("backup"))
	if out, err := s.cortex("backup", "--url", s.URL, "--out", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// A token that was withdrawn comes back with an old backup.
func oldBackup(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	a, app, token, id, value := s.entrusted(t)
	file := s.backup(t)
	s.Admin(t, http.MethodDelete, "/admin/agents/"+a.ID, nil, nil)
	s.Admin(t, http.MethodPut, "/admin/secrets/"+id, object{"value": canary()}, nil)
	s.stop(t)
	if err := os.Remove(s.file()); err != nil {
		t.Fatal(err)
	}
	if out, err := s.cortex("restore", "--from", file, "--db", s.file()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.serve(t)
	if fetched(t, a, app, token, value) {
		return open
	}
	var secret struct{ Value string }
	s.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, &secret)
	alarms := alarmsOf(t, s)
	switch {
	case secret.Value != value:
		return stopped
	case len(alarms) == 0:
		return open
	}
	return alarm
}

// alarmsOf returns the actions of the alarms that were recorded.
func alarmsOf(t *testing.T, s *site) (actions []string) {
	t.Helper()
	var rows []record
	s.Admin(t, http.MethodGet, "/admin/audit-logs?status=alarm", nil, &rows)
	for _, r := range rows {
		actions = append(actions, r.Action)
	}
	return actions
}

func oldBackupAlone(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t, "CORTEX_TWO_PERSON=1")
	bob := s.account(t, "super")
	bob.choose(t, s)
	file := s.backup(t)
	restored := filepath.Join(s.dir, "restored.db")
	if _, err := s.cortex("restore", "--from", file, "--db", restored); err == nil {
		return open
	}
	password := filepath.Join(s.dir, "bob.txt")
	if err := os.WriteFile(password, []byte(bob.password), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.cortex("restore", "--from", file, "--db", restored, "--confirm-as", bob.name, "--confirm-password-file", password); err != nil {
		t.Fatalf("with the second person: %v\n%s", err, out)
	}
	return stopped
}

// The file in a backup is sealed as the vault's is: who has the password unpacks it
// by hand, and serves it without anybody's confirmation.
func unpackedBackup(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t, "CORTEX_TWO_PERSON=1")
	_, id, value := s.secret(t)
	bob := s.account(t, "super")
	bob.choose(t, s)
	packed := read(t, s.backup(t))
	s.stop(t)
	// Magic, version, the header and its length are before it, a checksum behind.
	s.put(t, packed[16+binary.BigEndian.Uint32(packed[12:]):len(packed)-32])
	if s.launch("CORTEX_TWO_PERSON=") != nil {
		return stopped
	}
	defer s.program.Kill()
	var secret struct{ Value string }
	s.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, &secret)
	return unless(secret.Value == value, stopped)
}
