package api

// A Namespace is one row of GET /admin/namespaces.
type Namespace struct {
	Name        string  `json:"name"`
	Description *string `json:"description"`
	CreatedAt   Time    `json:"created_at"`
}

// CreateNamespace is the body of POST /admin/namespaces.
type CreateNamespace struct {
	Name        string  `json:"name"`
	Description *string `json:"description,omitempty"`
}

// CreatedNamespace answers POST /admin/namespaces.
type CreatedNamespace struct {
	Name        string  `json:"name"`
	Description *string `json:"description"`
}

// DeletedNamespace answers DELETE /admin/namespaces/{name}.
type DeletedNamespace struct {
	Deleted bool   `json:"deleted"`
	Name    string `json:"name"`
}
