package access

// An Action names an operation in the audit record. Published names keep
// their spelling: people search for them.
type Action string

// The actions of the vault.
const (
	CreateSecret Action = "create_secret"
	ListSecrets  Action = "list_secrets"
	ReadSecret   Action = "read_secret"
	UpdateSecret Action = "update_secret"
	DeleteSecret Action = "delete_secret"

	ListSecretVersions Action = "list_secret_versions"
	RollbackSecret     Action = "rollback_secret"
	UndeleteSecret     Action = "undelete_secret"
	DestroySecret      Action = "destroy_secret"
	ShareSecret        Action = "share_secret"
	UnshareSecret      Action = "unshare_secret"
	ListSecretShares   Action = "list_secret_shares"
	ImportSecrets      Action = "import_secrets"
	SecretExpiring     Action = "secret_expiring"
	SecretExpired      Action = "secret_expired"

	CreateAgent Action = "create_agent"
	ListAgents  Action = "list_agents"
	DeleteAgent Action = "delete_agent"

	CreateNamespace Action = "create_namespace"
	ListNamespaces  Action = "list_namespaces"
	DeleteNamespace Action = "delete_namespace"

	CreatePolicy Action = "create_policy"
	ListPolicies Action = "list_policies"
	DeletePolicy Action = "delete_policy"

	ListProjects       Action = "list_projects"
	RevokeProjectToken Action = "revoke_project_token"
	DeleteProject      Action = "delete_project"
	ReadProject        Action = "read_project_settings"
	UpdateProject      Action = "update_project_settings"

	CreateProjectGrant Action = "create_project_grant"
	ListProjectGrants  Action = "list_project_grants"
	DeleteProjectGrant Action = "delete_project_grant"

	ListPendingGrants   Action = "list_pending_grants"
	ApprovePendingGrant Action = "pending_grant_approve"
	DenyPendingGrant    Action = "pending_grant_deny"
	DeletePendingGrant  Action = "pending_grant_delete"
	ExpirePendingGrant  Action = "pending_grant_expire"
	ReadPendingGrant    Action = "pending_grant_read"

	ListPins   Action = "list_pins"
	CreatePin  Action = "pin_create"
	ApprovePin Action = "pin_approve"
	DenyPin    Action = "pin_deny"
	DeletePin  Action = "pin_delete"
	AskPin     Action = "pin_asked"
	LearnPin   Action = "pin_learned"
	ExpirePin  Action = "pin_expire"

	DeviceAuthorize  Action = "device_authorize"
	DeviceApprove    Action = "device_approve"
	DeviceDeny       Action = "device_deny"
	DeviceLookup     Action = "device_lookup"
	AgentKeyChange   Action = "agent_key_change"
	AccessTokenIssue Action = "access_token_issue"
	DeviceTokenIssue Action = "device_token_issue"
	ListDevices      Action = "list_devices"
	DeleteDevice     Action = "device_delete"
	DeviceLogout     Action = "device_logout"

	DaemonAttest         Action = "daemon_attest"
	WatchEvents          Action = "daemon_events"
	DaemonAttestRejected Action = "daemon_attest_rejected"
	AgentOnTwoHosts      Action = "agent_on_two_hosts"
	ListSessions         Action = "list_daemon_sessions"
	RevokeSession        Action = "daemon_session_revoke"
	ListAllowedDaemons   Action = "list_allowed_daemon_versions"
	AllowDaemon          Action = "allowed_daemon_version_add"
	DisallowDaemon       Action = "allowed_daemon_version_remove"

	Discover                Action = "discover"
	DiscoverPendingNew      Action = "discover_pending_new"
	DiscoverPendingExisting Action = "discover_pending_existing"
	DiscoverDenied          Action = "discover_denied"
	DiscoverLimit           Action = "discover_limit"
	RotateToken             Action = "rotate_token"
	AutoRotateToken         Action = "auto_rotate_token"

	Freeze      Action = "freeze"
	Unfreeze    Action = "unfreeze"
	ListFreezes Action = "list_freezes"

	GetSecrets       Action = "get_secrets"
	GetConfig        Action = "get_config"
	SignSSH          Action = "ssh_sign"
	TokenValidation  Action = "token_validation"
	HoneyTokenAccess Action = "honey_token_access"
	OfflineUse       Action = "offline_use"
	JournalGap       Action = "offline_journal_gap"
	JournalRejected  Action = "offline_journal_rejected"

	CreateUser        Action = "create_user"
	ListUsers         Action = "list_users"
	UpdateUser        Action = "update_user"
	DeleteUser        Action = "delete_user"
	Login             Action = "login"
	Logout            Action = "logout"
	WhoAmI            Action = "whoami"
	ChangeOwnPassword Action = "change_own_password"

	Confirm            Action = "confirm"
	ListConfirmations  Action = "list_confirmations"
	RejectConfirmation Action = "reject_confirmation"
	AskConfirmation    Action = "ask_confirmation"

	CreateChannel      Action = "create_notification_channel"
	ListChannels       Action = "list_notification_channels"
	UpdateChannel      Action = "update_notification_channel"
	DeleteChannel      Action = "delete_notification_channel"
	TestChannel        Action = "test_notification_channel"
	ListDeadLetters    Action = "list_dead_letters"
	RetryDeadLetters   Action = "retry_dead_letters"
	NotificationFailed Action = "notification_failed"

	ChangePassword   Action = "change_password"
	RotateKEK        Action = "rotate_kek"
	RotateSigningKey Action = "rotate_signing_key"
	SplitKey         Action = "shamir_generate"
	RecoveryBoot     Action = "recovery_boot"
	Seal             Action = "vault_seal"
	Unseal           Action = "vault_unseal"

	MakeIdentity      Action = "vault_identity_make"
	VouchServerKey    Action = "server_key_vouch"
	RetireCertificate Action = "server_certificate_retire"

	Initialize    Action = "vault_initialize"
	SetAdminToken Action = "admin_token_set"
	Start         Action = "vault_start"
	Stop          Action = "vault_stop"
	Insecure      Action = "insecure_setting"
	ReadAudit     Action = "read_audit_log"
	ExportAudit   Action = "audit_export"
	PruneAudit    Action = "audit_prune"
	ReadMetrics   Action = "read_metrics"
	Backup        Action = "backup"
	Restore       Action = "restore"

	MakeCertificate  Action = "server_certificate_make"
	MakeNoteKey      Action = "audit_head_key_make"
	RepeatedFailures Action = "repeated_failures"
	AdminLogin       Action = "admin_login"
	AgentProof       Action = "agent_proof"
	Attestation      Action = "attestation"
	DeviceLogin      Action = "device_login"
)

// agentActions are what an agent may begin with its own credentials.
var agentActions = map[Action]bool{
	DeviceTokenIssue: true,
	AccessTokenIssue: true,
	DeviceLogout:     true,
	DaemonAttest:     true,
	Discover:         true,
	GetSecrets:       true,
	GetConfig:        true,
	SignSSH:          true,
	OfflineUse:       true,
	ReadPendingGrant: true,
	WatchEvents:      true,
}
