package store

// Remembered returns how many rows are remembered.
func Remembered(db *DB) int {
	m := &db.sessions.current.Load().memory
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.young) + len(m.old)
}
