package api

import "encoding/json"

// An SSHKey is what a project may know of a key that stays in the vault.
type SSHKey struct {
	// PublicKey is the public half, in the form of authorized_keys.
	PublicKey string `json:"public_key"`
	// Hosts are the fingerprints of the keys of the hosts it logs in to.
	Hosts []string `json:"hosts"`
}

// SSHSign is the body of POST /project/ssh-signatures/{project_name}. Its members
// but Name are as they go over the wire of SSH, in base64.
type SSHSign struct {
	// Name is the variable that the project has the key as.
	Name string `json:"name"`
	// HostSignature is the host's signature of the SSH session's id.
	HostKey       string `json:"host_key"`
	Session       string `json:"session"`
	HostSignature string `json:"host_signature"`
	// Request is what to sign: the request to log in of RFC 4252, section 7.
	Request string `json:"request"`
	// Command is what the key is for, a Command.
	Command json.RawMessage `json:"command,omitempty"`
}

// SSHSignature answers an SSHSign.
type SSHSignature struct {
	Signature string `json:"signature"`
}
