package redteam

// later are the moves that are not made yet.
var later = map[install][]string{}
