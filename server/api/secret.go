package api

// The types a secret can have.
const (
	KeyValue       = "KEY_VALUE"
	JSONConfig     = "JSON_CONFIG"
	TemplateConfig = "TEMPLATE_CONFIG"
	SSHKeyType     = "SSH_KEY"
)

// A Secret is one row of GET /admin/secrets: everything but the value. Older
// servers have nothing from Version on.
type Secret struct {
	ID           string  `json:"id"`
	KeyPath      string  `json:"key_path"`
	SecretType   string  `json:"secret_type"`
	Description  *string `json:"description"`
	Namespace    string  `json:"namespace"`
	IsHoneyToken bool    `json:"is_honey_token"`
	CreatedAt    Time    `json:"created_at"`
	// OwnerNamespace is where the secret is shared from, in a list of those that
	// are. KeyPath and Namespace are then where it is shared into.
	OwnerNamespace string `json:"owner_namespace,omitempty"`
	// Version is the number of the current value.
	Version int64 `json:"version,omitempty"`
	// ExpiresAt is when the secret is delivered no more. Expired tells that it
	// is so far.
	ExpiresAt *Time    `json:"expires_at,omitempty"`
	Expired   bool     `json:"expired,omitempty"`
	Tags      []string `json:"tags,omitempty"`
	// DeletedAt and DestroyedAt are of deleted secrets: since when they are, and
	// until when they can be had back.
	DeletedAt   *Time `json:"deleted_at,omitempty"`
	DestroyedAt *Time `json:"destroyed_at,omitempty"`
	// KnownHosts are the hosts that an SSH_KEY logs in to: lines of known_hosts, or
	// fingerprints.
	KnownHosts []string `json:"known_hosts,omitempty"`
}

// A SecretDetail answers GET /admin/secrets/{id}, value included.
type SecretDetail struct {
	ID           string   `json:"id"`
	KeyPath      string   `json:"key_path"`
	SecretType   string   `json:"secret_type"`
	Value        Value    `json:"value"`
	Description  *string  `json:"description"`
	Namespace    string   `json:"namespace"`
	IsHoneyToken bool     `json:"is_honey_token"`
	CreatedAt    Time     `json:"created_at"`
	UpdatedAt    Time     `json:"updated_at"`
	Version      int64    `json:"version,omitempty"`
	MaxVersions  int64    `json:"max_versions,omitempty"`
	ExpiresAt    *Time    `json:"expires_at,omitempty"`
	Expired      bool     `json:"expired,omitempty"`
	Tags         []string `json:"tags,omitempty"`
	// PublicKey belongs to an SSH_KEY, and to a value that the vault made as a key.
	PublicKey  string   `json:"public_key,omitempty"`
	KnownHosts []string `json:"known_hosts,omitempty"`
}

// A Generate asks the vault to make a value that nobody is shown.
type Generate struct {
	// Type is "password", "hex", "base64", "uuid" or "ed25519-ssh".
	Type string `json:"type"`
	// Length counts the characters of a password, and the random bytes behind
	// hex and base64. If zero, 32.
	Length int64 `json:"length,omitempty"`
}

// CreateSecret is the body of POST /admin/secrets. An empty Namespace means
// "default". Either Value or Generate is there.
type CreateSecret struct {
	KeyPath      string    `json:"key_path"`
	SecretType   string    `json:"secret_type"`
	Value        Value     `json:"value,omitzero"`
	Description  *string   `json:"description,omitempty"`
	Namespace    string    `json:"namespace,omitempty"`
	IsHoneyToken bool      `json:"is_honey_token,omitempty"`
	Generate     *Generate `json:"generate,omitempty"`
	// Message says why this version was made.
	Message     *string  `json:"message,omitempty"`
	ExpiresAt   *Time    `json:"expires_at,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	MaxVersions int64    `json:"max_versions,omitempty"`
	KnownHosts  []string `json:"known_hosts,omitempty"`
}

// CreatedSecret answers POST /admin/secrets.
type CreatedSecret struct {
	ID        string `json:"id"`
	KeyPath   string `json:"key_path"`
	Namespace string `json:"namespace"`
	PublicKey string `json:"public_key,omitempty"`
}

// UpdateSecret is the body of PUT /admin/secrets/{id}. What is absent stays
// as it is.
type UpdateSecret struct {
	Value        Value     `json:"value,omitzero"`
	Description  *string   `json:"description,omitempty"`
	IsHoneyToken *bool     `json:"is_honey_token,omitempty"`
	Generate     *Generate `json:"generate,omitempty"`
	Message      *string   `json:"message,omitempty"`
	// IfVersion is the version that the change was made for: [Conflict] if the
	// secret has another one by now.
	IfVersion *int64 `json:"if_version,omitempty"`
	// ExpiresAt is a time as in [Time], or empty for never.
	ExpiresAt *string `json:"expires_at,omitempty"`
	// Tags take the place of those there are.
	Tags        *[]string `json:"tags,omitempty"`
	MaxVersions *int64    `json:"max_versions,omitempty"`
	// KnownHosts take the place of those there are, at once.
	KnownHosts *[]string `json:"known_hosts,omitempty"`
}

// Updated answers an update. Version is that of the secret afterwards.
type Updated struct {
	Updated   bool   `json:"updated"`
	ID        string `json:"id"`
	Version   int64  `json:"version,omitempty"`
	PublicKey string `json:"public_key,omitempty"`
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
