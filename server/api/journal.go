package api

// MaxJournal is the most entries of one [Journal].
const MaxJournal = 256

// Journal is the body of POST /daemon/journal: what was used while the server was
// away, a line each, in their order.
type Journal struct {
	Entries []string `json:"entries"`
}

// JournalKept answers POST /daemon/journal. Recorded is how many of the entries are
// recorded now that were not before.
type JournalKept struct {
	Recorded int `json:"recorded"`
}
