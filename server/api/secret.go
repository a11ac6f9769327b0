package api

// The types a secret can have.
const (
	KeyValue       = "KEY_VALUE"
	JSONConfig     = "JSON_CONFIG"
	TemplateConfig = "TEMPLATE_CONFIG"
)

// A Secret is one row of GET /admin/secrets: everything but the value.
type Secret struct {
	ID           string  `json:"id"`
	KeyPath      string  `json:"key_path"`
	SecretType   string  `json:"secret_type"`
	Description  *string `json:"description"`
	Namespace    string  `json:"namespace"`
	IsHoneyToken bool    `json:"is_honey_token"`
	CreatedAt    Time    `json:"created_at"`
}

// A SecretDetail answers GET /admin/secrets/{id}, value included.
type SecretDetail struct {
	ID           string  `json:"id"`
	KeyPath      string  `json:"key_path"`
	SecretType   string  `json:"secret_type"`
	Value        Value   `json:"value"`
	Description  *string `json:"description"`
	Namespace    string  `json:"namespace"`
	IsHoneyToken bool    `json:"is_honey_token"`
	CreatedAt    Time    `json:"created_at"`
	UpdatedAt    Time    `json:"updated_at"`
}

// CreateSecret is the body of POST /admin/secrets. An empty Namespace means
// "default".
type CreateSecret struct {
	KeyPath      string  `json:"key_path"`
	SecretType   string  `json:"secret_type"`
	Value        Value   `json:"value"`
	Description  *string `json:"description,omitempty"`
	Namespace    string  `json:"namespace,omitempty"`
	IsHoneyToken bool    `json:"is_honey_token,omitempty"`
}

// CreatedSecret answers POST /admin/secrets.
type CreatedSecret struct {
	ID        string `json:"id"`
	KeyPath   string `json:"key_path"`
	Namespace string `json:"namespace"`
}

// UpdateSecret is the body of PUT /admin/secrets/{id}. What is absent stays
// as it is.
type UpdateSecret struct {
	Value        Value   `json:"value,omitzero"`
	Description  *string `json:"description,omitempty"`
	IsHoneyToken *bool   `json:"is_honey_token,omitempty"`
}

// Updated answers an update.
type Updated struct {
	Updated bool   `json:"updated"`
	ID      string `json:"id"`
}

// Deleted answers the deletion of a secret, an agent, a policy or an allowed
// daemon version.
type Deleted struct {
	Deleted bool `json:"deleted"`
}

// DeletedID answers the deletion of a grant or a pending grant.
type DeletedID struct {
	Deleted bool   `json:"deleted"`
	ID      string `json:"id"`
}
