package api

// NextCursor is the header of a page of a list that says how to get the next
// one: repeat the request with ?cursor= and this. It is absent at the end.
const NextCursor = "X-Cortex-Next-Cursor"
