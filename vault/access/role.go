package access

import "slices"

// A Role is what an administrator may do. The zero Role may do nothing.
type Role string

// The roles. What each may do stands in the table below.
const (
	// Super may do everything: keys, accounts, backups.
	Super Role = "super"
	// Manager ("admin") keeps secrets, agents, grants and policies.
	Manager Role = "admin"
	// Approver decides what agents ask for, and sees what it takes to decide.
	Approver Role = "approver"
	// Auditor sees what there is and what was done, and changes nothing.
	Auditor Role = "auditor"
)

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return slices.Contains([]Role{Super, Manager, Approver, Auditor}, r) }

// Who besides Super may do a kind of thing.
var (
	everyone = []Role{Manager, Approver, Auditor}
	deciders = []Role{Manager, Approver}
	managers = []Role{Manager}
	auditors = []Role{Manager, Auditor}
	nobody   []Role
)

// may reports whether the role may perform a. What the table lacks is for Super.
func (r Role) may(a Action) bool {
	return r == Super || slices.Contains(roles[a], r)
}

// roles says who may do what besides Super. Every action stands here.
var roles = map[Action][]Role{
	CreateSecret: managers, ListSecrets: everyone, ReadSecret: managers, UpdateSecret: managers, DeleteSecret: managers,
	ListSecretVersions: everyone, RollbackSecret: managers, UndeleteSecret: managers, DestroySecret: managers,
	ShareSecret: managers, UnshareSecret: managers, ListSecretShares: everyone, ImportSecrets: managers,
	SecretExpiring: nobody, SecretExpired: nobody,
	CreateAgent: managers, ListAgents: everyone, DeleteAgent: managers,
	CreateNamespace: managers, ListNamespaces: everyone, DeleteNamespace: managers,
	CreatePolicy: managers, ListPolicies: everyone, DeletePolicy: managers,
	ListProjects: everyone, RevokeProjectToken: managers,
	DeleteProject: managers, ReadProject: everyone, UpdateProject: managers,
	CreateProjectGrant: managers, ListProjectGrants: everyone, DeleteProjectGrant: managers,
	ListPendingGrants: everyone, ApprovePendingGrant: deciders, DenyPendingGrant: deciders, DeletePendingGrant: managers,
	ListPins: everyone, CreatePin: managers, ApprovePin: deciders, DenyPin: deciders, DeletePin: managers,
	Freeze: deciders, Unfreeze: managers, ListFreezes: everyone,
	DeviceApprove: deciders, DeviceDeny: deciders, DeviceLookup: deciders, AgentKeyChange: managers, ListDevices: everyone, DeleteDevice: managers,
	ListSessions: everyone, RevokeSession: managers,
	ListAllowedDaemons: everyone, AllowDaemon: managers, DisallowDaemon: managers,
	ReadAudit: auditors, ExportAudit: auditors, ReadMetrics: auditors,
	CreateChannel: managers, ListChannels: everyone, UpdateChannel: managers, DeleteChannel: managers, TestChannel: managers,
	ListDeadLetters: auditors, RetryDeadLetters: managers,

	// An account's own business.
	Login: everyone, WhoAmI: everyone, Logout: everyone, ChangeOwnPassword: everyone,

	// What is Super's alone.
	Backup: nobody, Restore: nobody, MakeCertificate: nobody, MakeNoteKey: nobody,

	// Accounts, and what needs a second person.
	CreateUser: nobody, ListUsers: nobody, UpdateUser: nobody, DeleteUser: nobody,
	AskConfirmation: nobody, Confirm: nobody, ListConfirmations: nobody, RejectConfirmation: nobody,

	// The vault's keys.
	ChangePassword: nobody, RotateKEK: nobody, RotateSigningKey: nobody, SplitKey: nobody, RecoveryBoot: nobody,
	Seal: nobody, Unseal: nobody,
	MakeIdentity: nobody, VouchServerKey: nobody, RetireCertificate: nobody,

	// What agents do, and the vault itself: no administrator.
	AccessTokenIssue: nobody, DeviceAuthorize: nobody, DeviceTokenIssue: nobody, DeviceLogout: nobody, DaemonAttest: nobody, DaemonAttestRejected: nobody,
	AgentOnTwoHosts: nobody, Discover: nobody, DiscoverPendingNew: nobody, DiscoverPendingExisting: nobody,
	DiscoverDenied: nobody, DiscoverLimit: nobody, RotateToken: nobody, AutoRotateToken: nobody,
	ExpirePendingGrant: nobody, AskPin: nobody, LearnPin: nobody, ExpirePin: nobody, ReadPendingGrant: nobody, WatchEvents: nobody,
	GetSecrets: nobody, GetConfig: nobody, SignSSH: nobody, TokenValidation: nobody, HoneyTokenAccess: nobody,
	OfflineUse: nobody, JournalGap: nobody, JournalRejected: nobody,
	Initialize: nobody, SetAdminToken: nobody, Start: nobody, Stop: nobody, Insecure: nobody,
	NotificationFailed: nobody, PruneAudit: nobody,
	RepeatedFailures: nobody, AdminLogin: nobody, AgentProof: nobody, Attestation: nobody, DeviceLogin: nobody,
}
