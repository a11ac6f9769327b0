package api

// UndeletedSecret answers POST /admin/secrets/{id}/undelete.
type UndeletedSecret struct {
	Undeleted bool   `json:"undeleted"`
	ID        string `json:"id"`
	KeyPath   string `json:"key_path"`
	Namespace string `json:"namespace"`
}

// DestroyedSecret answers POST /admin/secrets/{id}/destroy.
type DestroyedSecret struct {
	Destroyed bool   `json:"destroyed"`
	ID        string `json:"id"`
	// Versions is how many values there were.
	Versions int64 `json:"versions"`
	// Note says what still holds them.
	Note string `json:"note"`
}
