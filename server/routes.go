package server

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/auth"
)

// A route is one line of the contract.
type route struct {
	// pattern is a method and a path for [http.ServeMux]. GET means HEAD too.
	pattern string
	// auth finds out who sent the request, before its body is decoded.
	auth authenticator
	endpoint
}

func (s *Server) routes() []route {
	return []route{
		{"GET /health", s.anyone, s.health},
		{"GET /metrics", s.scraper, s.metrics},
		{"GET /sys/seal-status", s.anyone, bare(s.sealStatus)},
		{"POST /sys/seal", s.admin, bare(s.seal)},
		{"POST /sys/unseal", s.anyone, atMost(maxLoginBody, handle(s.unseal))},
		{"GET /.well-known/cortex", s.anyone, bare(s.identity)},
		{"GET /.well-known/jwks.json", s.anyone, bare(s.jwks)},
		{"GET /static/{file}", s.anyone, bare(s.static)},

		{"GET /device", s.anyone, bare(s.devicePage)},
		{"POST /device/authorize", s.anyone, atMost(maxDeviceBody, handle(s.authorizeDevice))},
		{"POST /device/token", s.anyone, atMost(maxDeviceBody, handle(s.deviceToken))},
		{"POST /daemon/attest", s.device, atMost(maxAttestBody, handle(s.attest))},
		{"POST /agent/discover", s.agent, handle(s.discover)},
		{"GET /agent/pending-grants/{id}", s.daemon, bare(s.grantStatus)},
		{"POST /device/logout", s.device, bare(s.logOutDevice)},
		{"GET /daemon/events", s.daemon, bare(s.daemonEvents)},
		{"POST /daemon/journal", s.author, handle(s.keepJournal)},
		{"GET /project/secrets/{project}", s.project, bare(s.projectSecrets)},
		{"GET /project/config/{project}/{template}", s.project, bare(s.projectConfig)},
		{"POST /project/secrets/{project}", s.commander, handle(s.secretsFor)},
		{"POST /project/config/{project}/{template}", s.commander, handle(s.configFor)},
		{"POST /project/ssh-signatures/{project}", s.signer, handle(s.signSSH)},

		{"GET /admin/secrets", s.admin, bare(s.listSecrets)},
		{"POST /admin/secrets", s.admin, created(handle(s.createSecret))},
		{"POST /admin/secrets/bulk", s.admin, handle(s.keepSecrets)},
		{"GET /admin/secrets/{id}", s.admin, bare(s.readSecret)},
		{"PUT /admin/secrets/{id}", s.admin, handle(s.updateSecret)},
		{"DELETE /admin/secrets/{id}", s.admin, bare(s.deleteSecret)},
		{"POST /admin/secrets/{id}/undelete", s.admin, bare(s.undeleteSecret)},
		{"POST /admin/secrets/{id}/destroy", s.admin, bare(s.destroySecret)},
		{"GET /admin/secrets/{id}/versions", s.admin, bare(s.listVersions)},
		{"POST /admin/secrets/{id}/rollback", s.admin, handle(s.rollbackSecret)},
		{"GET /admin/secrets/{id}/shares", s.admin, bare(s.listShares)},
		{"POST /admin/secrets/{id}/shares", s.admin, created(handle(s.shareSecret))},
		{"DELETE /admin/secrets/{id}/shares/{namespace}", s.admin, bare(s.unshareSecret)},

		{"GET /admin/agents", s.admin, bare(s.listAgents)},
		{"POST /admin/agents", s.admin, created(handle(s.createAgent))},
		{"DELETE /admin/agents/{agent_id}", s.admin, bare(s.deleteAgent)},

		{"GET /admin/policies", s.admin, bare(s.listPolicies)},
		{"POST /admin/policies", s.admin, created(handle(s.createPolicy))},
		{"DELETE /admin/policies/{id}", s.admin, bare(s.deletePolicy)},

		{"GET /admin/namespaces", s.admin, bare(s.listNamespaces)},
		{"POST /admin/namespaces", s.admin, created(handle(s.createNamespace))},
		{"DELETE /admin/namespaces/{name}", s.admin, bare(s.deleteNamespace)},

		{"GET /admin/projects", s.admin, bare(s.listProjects)},
		{"DELETE /admin/projects/{project}", s.admin, bare(s.deleteProject)},
		{"GET /admin/projects/{project}/settings", s.admin, bare(s.projectSettings)},
		{"PUT /admin/projects/{project}/settings", s.admin, handle(s.updateProject)},
		{"POST /admin/projects/{project}/revoke", s.admin, bare(s.revokeProject)},
		{"GET /admin/projects/{project}/grants", s.admin, bare(s.listGrants)},
		{"POST /admin/projects/{project}/grants", s.admin, created(handle(s.createGrant))},
		{"DELETE /admin/projects/{project}/grants/{id}", s.admin, bare(s.deleteGrant)},
		{"GET /admin/projects/{project}/pins", s.admin, bare(s.listPins)},
		{"POST /admin/projects/{project}/pins", s.admin, atMost(maxPinBody, created(handle(s.createPin)))},
		{"POST /admin/projects/{project}/pins/{id}/approve", s.admin, atMost(maxPinBody, handle(s.approvePin))},
		{"POST /admin/projects/{project}/pins/{id}/deny", s.admin, bare(s.denyPin)},
		{"DELETE /admin/projects/{project}/pins/{id}", s.admin, bare(s.deletePin)},

		{"GET /admin/pending-grants", s.admin, s.listPending},
		{"POST /admin/pending-grants/{id}/approve", s.admin, handle(s.approvePending)},
		{"POST /admin/pending-grants/{id}/deny", s.admin, bare(s.denyPending)},
		{"DELETE /admin/pending-grants/{id}", s.admin, bare(s.deletePending)},

		{"GET /admin/freezes", s.admin, bare(s.listFreezes)},
		{"POST /admin/freeze", s.admin, handle(s.freeze)},
		{"POST /admin/unfreeze", s.admin, handle(s.unfreeze)},

		{"GET /admin/devices", s.admin, bare(s.listDevices)},
		{"POST /admin/web/device/lookup", s.admin, handle(s.lookUpDevice)},
		{"POST /admin/web/device/approve", s.admin, handle(s.approveDevice)},
		{"POST /admin/web/device/deny", s.admin, handle(s.denyDevice)},
		{"DELETE /admin/devices/{agent_id}", s.admin, bare(s.deleteDevices)},

		{"GET /admin/daemon-sessions", s.admin, bare(s.listSessions)},
		{"DELETE /admin/daemon-sessions/{id}", s.admin, bare(s.revokeSession)},
		{"GET /admin/allowed-daemon-versions", s.admin, bare(s.listAllowed)},
		{"POST /admin/allowed-daemon-versions", s.admin, created(handle(s.allowDaemon))},
		{"DELETE /admin/allowed-daemon-versions/{sha}", s.admin, bare(s.disallowDaemon)},

		{"POST /admin/change-password", s.admin, handle(s.changeKEKPassword)},
		{"POST /admin/rotate-key", s.admin, handle(s.rotateKey)},
		{"GET /admin/rotate-key", s.admin, bare(s.rotation)},
		{"POST /admin/shamir/generate", s.admin, handle(s.splitKey)},
		{"POST /admin/rotate-signing-key", s.admin, bare(s.rotateSigningKey)},

		{"POST /login", s.anyone, atMost(maxLoginBody, handle(s.login))},
		{"POST /admin/logout", s.admin, bare(s.logout)},
		{"GET /admin/whoami", s.admin, bare(s.whoAmI)},
		{"POST /admin/password", s.admin, handle(s.changeOwnPassword)},
		{"GET /admin/users", s.admin, bare(s.listUsers)},
		{"POST /admin/users", s.admin, created(handle(s.createUser))},
		{"PUT /admin/users/{id}", s.admin, handle(s.updateUser)},
		{"DELETE /admin/users/{id}", s.admin, bare(s.deleteUser)},
		{"GET /admin/confirmations", s.admin, bare(s.listConfirmations)},
		{"POST /admin/confirmations/{id}/confirm", s.admin, bare(s.confirm)},
		{"DELETE /admin/confirmations/{id}", s.admin, bare(s.rejectConfirmation)},

		{"GET /admin/notification-channels", s.admin, bare(s.listChannels)},
		{"POST /admin/notification-channels", s.admin, created(handle(s.createChannel))},
		{"PUT /admin/notification-channels/{id}", s.admin, handle(s.updateChannel)},
		{"DELETE /admin/notification-channels/{id}", s.admin, bare(s.deleteChannel)},
		{"POST /admin/notification-channels/{id}/test", s.admin, bare(s.testChannel)},
		{"GET /admin/notification-channels/{id}/dead-letters", s.admin, bare(s.listDeadLetters)},
		{"POST /admin/notification-channels/{id}/dead-letters/retry", s.admin, bare(s.retryDeadLetters)},
		{"POST /admin/notification-channels/{id}/dead-letters/{number}/retry", s.admin, bare(s.retryDeadLetter)},

		{"GET /admin/backup", s.admin, bare(s.backup)},
		{"GET /admin/audit-logs", s.admin, bare(s.auditLog)},
		{"GET /admin/audit/export", s.admin, bare(s.exportAudit)},
		{"GET /admin/audit/head", s.admin, bare(s.auditHead)},
		{"POST /admin/audit/verify", s.admin, handle(s.verifyAudit)},
	}
}

// An authenticator finds out who sent a request and writes it into the
// request, or returns an error.
type authenticator func(ctx context.Context, q *request) error

// anyone lets everybody in.
func (s *Server) anyone(context.Context, *request) error { return nil }

// admin asks for the admin token.
func (s *Server) admin(ctx context.Context, q *request) (err error) {
	q.By, err = s.guard.Admin(ctx, q.Header, q.client)
	return err
}

// device asks for a device access token.
func (s *Server) device(ctx context.Context, q *request) (err error) {
	q.By, err = s.guard.Device(ctx, q.Header, q.client)
	return err
}

// agent asks for the signature of an attested daemon, unless the vault can do
// without: first for a good one, then for the body that it signs. A stranger
// gets to send no body. The agent's own proof is in the body, for the vault.
func (s *Server) agent(ctx context.Context, q *request) (err error) {
	if q.attestation, err = auth.Attestation(q.Header); err != nil {
		return err
	}
	if q.attested, err = s.guard.Attested(ctx, q.client, http.MethodPost, "/agent/discover", q.attestation); err != nil {
		return err
	}
	return s.attestedBody(ctx, q)
}

// attestedBody reads the body, and verifies that it is the one that was signed.
func (s *Server) attestedBody(ctx context.Context, q *request) error {
	body, err := q.body()
	if err != nil {
		return err
	}
	return s.guard.Covers(ctx, q.client, q.attested, body)
}

// signer is project, for a request with a body: of a stranger none is read.
func (s *Server) signer(ctx context.Context, q *request) (err error) {
	if err := s.project(ctx, q); err != nil {
		return err
	}
	if q.attested, err = s.guard.Attested(ctx, q.client, http.MethodPost, q.URL.Path, q.attestation); err != nil {
		return err
	}
	return s.attestedBody(ctx, q)
}

// commander is signer, for a body that says what it is for and nothing else.
func (s *Server) commander(ctx context.Context, q *request) error {
	q.most = maxCommandBody
	return s.signer(ctx, q)
}

// daemon asks for the signature of an attested daemon over a request without a
// body, in every case.
func (s *Server) daemon(ctx context.Context, q *request) (err error) {
	if q.attestation, err = auth.Attestation(q.Header); err != nil {
		return err
	}
	q.By, err = s.guard.Daemon(ctx, q.client, http.MethodGet, q.URL.Path, q.attestation)
	return err
}

// author asks for the signature of a daemon that was attested once, over the body:
// for what it says of the past. Of a stranger no body is read.
func (s *Server) author(ctx context.Context, q *request) (err error) {
	if q.attestation, err = auth.Attestation(q.Header); err != nil {
		return err
	}
	if q.attested, err = s.guard.Author(ctx, q.client, q.attestation); err != nil {
		return err
	}
	return s.attestedBody(ctx, q)
}

// project asks for a project token. Whether it and the attestation are good,
// the vault decides together with everything else.
func (s *Server) project(_ context.Context, q *request) (err error) {
	if q.bearer, err = auth.Bearer(q.Header); err != nil {
		return err
	}
	q.attestation, err = auth.Attestation(q.Header)
	return err
}
