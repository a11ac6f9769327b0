package api

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// at is the time in the golden texts.
var at = NewTime(time.Date(2026, 4, 27, 18, 40, 0, 0, time.UTC))

func value(s string) Value { return NewValue([]byte(s)) }

// golden has each type of this package that travels, as it is on the wire: with
// every member filled, and with what may be null or absent left out.
var golden = []struct {
	v    any
	want string
}{
	{
		Secret{ID: "i", KeyPath: "a/b", SecretType: KeyValue, Description: new("d"), Namespace: "default", IsHoneyToken: true, CreatedAt: at},
		`{"id":"i","key_path":"a/b","secret_type":"KEY_VALUE","description":"d","namespace":"default","is_honey_token":true,"created_at":"2026-04-27 18:40:00"}`,
	},
	{
		Secret{"i", "p", JSONConfig, nil, "default", false, at, "o", 3, &at, true, []string{"a"}, &at, &at, []string{"h"}},
		`{"id":"i","key_path":"p","secret_type":"JSON_CONFIG","description":null,"namespace":"default","is_honey_token":false,"created_at":"2026-04-27 18:40:00","owner_namespace":"o","version":3,"expires_at":"2026-04-27 18:40:00","expired":true,"tags":["a"],"deleted_at":"2026-04-27 18:40:00","destroyed_at":"2026-04-27 18:40:00","known_hosts":["h"]}`,
	},
	{
		SecretDetail{"i", "p", TemplateConfig, value("v<&>\u2028"), new("d"), "default", true, at, at, 3, 10, &at, true, []string{"a"}, "ssh-ed25519 AAAA", []string{"h"}},
		`{"id":"i","key_path":"p","secret_type":"TEMPLATE_CONFIG","value":"v\u003c\u0026\u003e\u2028","description":"d","namespace":"default","is_honey_token":true,"created_at":"2026-04-27 18:40:00","updated_at":"2026-04-27 18:40:00","version":3,"max_versions":10,"expires_at":"2026-04-27 18:40:00","expired":true,"tags":["a"],"public_key":"ssh-ed25519 AAAA","known_hosts":["h"]}`,
	},
	{
		SecretDetail{ID: "i", KeyPath: "p", SecretType: KeyValue, Value: value(""), Namespace: "default", CreatedAt: at, UpdatedAt: at},
		`{"id":"i","key_path":"p","secret_type":"KEY_VALUE","value":"","description":null,"namespace":"default","is_honey_token":false,"created_at":"2026-04-27 18:40:00","updated_at":"2026-04-27 18:40:00"}`,
	},
	{
		CreateSecret{"p", KeyValue, value("v"), new("d"), "prod", true, nil, new("m"), &at, []string{"a"}, 3, []string{"h"}},
		`{"key_path":"p","secret_type":"KEY_VALUE","value":"v","description":"d","namespace":"prod","is_honey_token":true,"message":"m","expires_at":"2026-04-27 18:40:00","tags":["a"],"max_versions":3,"known_hosts":["h"]}`,
	},
	{CreateSecret{KeyPath: "p", SecretType: KeyValue, Value: value("v")}, `{"key_path":"p","secret_type":"KEY_VALUE","value":"v"}`},
	{
		CreateSecret{KeyPath: "p", SecretType: KeyValue, Generate: &Generate{"hex", 16}},
		`{"key_path":"p","secret_type":"KEY_VALUE","generate":{"type":"hex","length":16}}`,
	},
	{CreatedSecret{ID: "i", KeyPath: "p", Namespace: "default"}, `{"id":"i","key_path":"p","namespace":"default"}`},
	{CreatedSecret{"i", "p", "default", "ssh-ed25519 AAAA"}, `{"id":"i","key_path":"p","namespace":"default","public_key":"ssh-ed25519 AAAA"}`},
	{UpdateSecret{Value: value("v"), Description: new("d"), IsHoneyToken: new(false)}, `{"value":"v","description":"d","is_honey_token":false}`},
	{
		UpdateSecret{Value{}, nil, nil, &Generate{Type: "uuid"}, new("m"), new(int64(3)), new(""), &[]string{}, new(int64(5)), &[]string{"h"}},
		`{"generate":{"type":"uuid"},"message":"m","if_version":3,"expires_at":"","tags":[],"max_versions":5,"known_hosts":["h"]}`,
	},
	{UpdateSecret{}, `{}`},
	{Updated{Updated: true, ID: "i"}, `{"updated":true,"id":"i"}`},
	{Updated{true, "i", 3, "ssh-ed25519 AAAA"}, `{"updated":true,"id":"i","version":3,"public_key":"ssh-ed25519 AAAA"}`},
	{
		SecretVersion{3, at, "admin", new("m"), 1, "ssh-ed25519 AAAA"},
		`{"version":3,"created_at":"2026-04-27 18:40:00","created_by":"admin","message":"m","rolled_back_to":1,"public_key":"ssh-ed25519 AAAA"}`,
	},
	{SecretVersion{Version: 1, CreatedAt: at, CreatedBy: "admin"}, `{"version":1,"created_at":"2026-04-27 18:40:00","created_by":"admin","message":null}`},
	{RollbackSecret{3, new("m"), new(int64(4))}, `{"version":3,"message":"m","if_version":4}`},
	{RollbackSecret{Version: 3}, `{"version":3}`},
	{SecretShare{"i", "ns", "a/b", "admin", at}, `{"secret_id":"i","namespace":"ns","key_path":"a/b","shared_by":"admin","shared_at":"2026-04-27 18:40:00"}`},
	{ShareSecret{"ns", "a/b"}, `{"namespace":"ns","key_path":"a/b"}`},
	{ShareSecret{Namespace: "ns"}, `{"namespace":"ns"}`},
	{
		Bulk{"json", value("{}"), "ns", "a/", true, "skip", true},
		`{"format":"json","content":"{}","namespace":"ns","prefix":"a/","lowercase":true,"on_conflict":"skip","dry_run":true}`,
	},
	{Bulk{Format: "dotenv", Content: value("A=1")}, `{"format":"dotenv","content":"A=1"}`},
	{
		BulkResult{true, []string{"a"}, []string{}, []string{"b"}, []string{}, []string{"c"}, []BulkProblem{{"d", "r"}}},
		`{"dry_run":true,"created":["a"],"updated":[],"unchanged":["b"],"skipped":[],"conflicts":["c"],"invalid":[{"name":"d","reason":"r"}]}`,
	},
	{UndeletedSecret{true, "i", "p", "default"}, `{"undeleted":true,"id":"i","key_path":"p","namespace":"default"}`},
	{DestroyedSecret{true, "i", 3, "n"}, `{"destroyed":true,"id":"i","versions":3,"note":"n"}`},
	{Deleted{true}, `{"deleted":true}`},
	{DeletedID{true, "i"}, `{"deleted":true,"id":"i"}`},

	{
		Agent{"i", "bot", new("d"), "default", at, true, true},
		`{"id":"i","agent_id":"bot","description":"d","namespace":"default","created_at":"2026-04-27 18:40:00","has_pubkey":true,"frozen":true}`,
	},
	{
		Agent{"i", "bot", nil, "default", at, false, false},
		`{"id":"i","agent_id":"bot","description":null,"namespace":"default","created_at":"2026-04-27 18:40:00","has_pubkey":false}`,
	},
	{CreateAgent{"bot", "A6EH", new("d"), "prod"}, `{"agent_id":"bot","agent_pub":"A6EH","description":"d","namespace":"prod"}`},
	{CreateAgent{AgentID: "bot", AgentPub: "A6EH"}, `{"agent_id":"bot","agent_pub":"A6EH"}`},
	{CreatedAgent{"i", "bot", "default"}, `{"id":"i","agent_id":"bot","namespace":"default"}`},

	{
		Policy{"i", "n", "*", []string{"a/*"}, []string{}, at, ""},
		`{"id":"i","policy_name":"n","agent_pattern":"*","allowed_paths":["a/*"],"denied_paths":[],"created_at":"2026-04-27 18:40:00"}`,
	},
	{
		Policy{"i", "n", "*", []string{}, []string{"a/*"}, at, "prod"},
		`{"id":"i","policy_name":"n","agent_pattern":"*","allowed_paths":[],"denied_paths":["a/*"],"created_at":"2026-04-27 18:40:00","namespace":"prod"}`,
	},
	{CreatePolicy{"n", "*", []string{}, []string{"db/*"}, "prod"}, `{"policy_name":"n","agent_pattern":"*","allowed_paths":[],"denied_paths":["db/*"],"namespace":"prod"}`},
	{CreatePolicy{PolicyName: "n", AgentPattern: "*", AllowedPaths: []string{"a"}}, `{"policy_name":"n","agent_pattern":"*","allowed_paths":["a"]}`},
	{CreatedPolicy{"i", "n"}, `{"id":"i","policy_name":"n"}`},

	{
		User{"i", "alice", RoleApprover, []string{"prod"}, true, at},
		`{"id":"i","name":"alice","role":"approver","namespaces":["prod"],"disabled":true,"created_at":"2026-04-27 18:40:00"}`,
	},
	{CreateUser{"alice", RoleAdmin, []string{"prod"}, value("p")}, `{"name":"alice","role":"admin","namespaces":["prod"],"password":"p"}`},
	{CreateUser{Name: "alice", Role: RoleSuper, Password: value("p")}, `{"name":"alice","role":"super","password":"p"}`},
	{UpdateUser{new(RoleAuditor), &[]string{}, new(true), value("p")}, `{"role":"auditor","namespaces":[],"disabled":true,"password":"p"}`},
	{UpdateUser{}, `{}`},
	{LoginRequest{"alice", value("p")}, `{"name":"alice","password":"p"}`},
	{
		LoginResponse{value("t"), at, "alice", RoleAdmin, []string{}},
		`{"token":"t","expires_at":"2026-04-27 18:40:00","name":"alice","role":"admin","namespaces":[]}`,
	},
	{LoggedOut{true}, `{"logged_out":true}`},
	{WhoAmI{"alice", RoleAdmin, []string{}}, `{"name":"alice","role":"admin","namespaces":[]}`},
	{ChangePassword{value("a"), value("b")}, `{"current_password":"a","new_password":"b"}`},
	{ChangedPassword{true}, `{"changed":true}`},
	{
		Confirmation{"i", "rotate_kek", "", "admin", at, at, nil},
		`{"id":"i","action":"rotate_kek","what":"","asked_by":"admin","created_at":"2026-04-27 18:40:00","expires_at":"2026-04-27 18:40:00","confirmed_by":null}`,
	},

	{SealStatus{true, true, true, "a", 2}, `{"sealed":true,"initialized":true,"recovered":true,"attempt":"a","missing":2}`},
	{Identity{"A6EH", "SHA256:8dWU", 7, "FhDe"}, `{"vault_key":"A6EH","server_key":"SHA256:8dWU","issued":7,"signature":"FhDe"}`},
	{Identity{VaultKey: "A6EH"}, `{"vault_key":"A6EH"}`},
	{SealStatus{Initialized: true}, `{"sealed":false,"initialized":true}`},
	{UnsealRequest{value("p"), value("s"), "a"}, `{"password":"p","share":"s","attempt":"a"}`},
	{UnsealRequest{}, `{}`},
	{ChangeKEKPassword{value("a"), value("b")}, `{"current_password":"a","new_password":"b"}`},
	{RotateKey{value("b"), value("a")}, `{"new_kek_password":"b","current_password":"a"}`},
	{RotateKey{NewKEKPassword: value("b")}, `{"new_kek_password":"b"}`},
	{RotatedKey{true, 3, 2, true, "m", 0}, `{"rotated":true,"secrets_rewrapped":3,"new_kek_version":2,"finished":true,"message":"m"}`},
	{RotatedKey{true, 3, 2, true, "m", 1}, `{"rotated":true,"secrets_rewrapped":3,"new_kek_version":2,"finished":true,"message":"m","unopened":1}`},
	{
		Rotation{1, 2, "admin", at, 3, &at, true, 1, "p"},
		`{"from_version":1,"to_version":2,"by":"admin","started_at":"2026-04-27 18:40:00","rewrapped":3,"finished_at":"2026-04-27 18:40:00","compacting":true,"unopened":1,"problem":"p"}`,
	},
	{SplitKey{2, 3, value("p")}, `{"threshold":2,"shares":3,"current_password":"p"}`},
	{SharesMade{2, 3, []Value{value("s")}, "w"}, `{"threshold":2,"shares_count":3,"shares":["s"],"warning":"w"}`},
	{RotatedSigningKey{true, "k"}, `{"rotated":true,"kid":"k"}`},

	{Namespace{"prod", new("d"), at}, `{"name":"prod","description":"d","created_at":"2026-04-27 18:40:00"}`},
	{Namespace{"prod", nil, at}, `{"name":"prod","description":null,"created_at":"2026-04-27 18:40:00"}`},
	{CreateNamespace{"prod", new("d")}, `{"name":"prod","description":"d"}`},
	{CreateNamespace{Name: "prod"}, `{"name":"prod"}`},
	{CreatedNamespace{"prod", nil}, `{"name":"prod","description":null}`},
	{DeletedNamespace{true, "prod"}, `{"deleted":true,"name":"prod"}`},

	{
		Project{"i", "p", map[string]string{"B": "b", "A": "a"}, "default", []string{"a", "b"}, at, &at, &at, TokenStatusRevoked, "bot"},
		`{"id":"i","project_name":"p","env_mappings":{"A":"a","B":"b"},"namespace":"default","scope":["a","b"],"created_at":"2026-04-27 18:40:00","token_expires_at":"2026-04-27 18:40:00","token_revoked_at":"2026-04-27 18:40:00","token_status":"revoked","agent_id":"bot"}`,
	},
	{
		Project{"i", "p", map[string]string{}, "default", []string{}, at, nil, nil, TokenStatusActive, ""},
		`{"id":"i","project_name":"p","env_mappings":{},"namespace":"default","scope":[],"created_at":"2026-04-27 18:40:00","token_expires_at":null,"token_revoked_at":null,"token_status":"active"}`,
	},
	{RevokedProject{true, "p", true}, `{"revoked":true,"project_name":"p","already_revoked":true}`},
	{ProjectSettings{"p", "default", 3600, MaskOptional, FreezeEnds, 28800, CommandsLearn, FilesAllow}, `{"project_name":"p","namespace":"default","token_ttl_seconds":3600,"masking":"optional","on_freeze":"end","offline_ttl_seconds":28800,"commands":"learn","template_files":"allow"}`},
	{UpdateProject{TokenTTLSeconds: new(int64(60))}, `{"token_ttl_seconds":60}`},
	{UpdateProject{Masking: new(MaskAlways)}, `{"masking":"always"}`},
	{UpdateProject{OnFreeze: new(FreezeLeaves)}, `{"on_freeze":"leave"}`},
	{UpdateProject{TemplateFiles: new(FilesDeny)}, `{"template_files":"deny"}`},
	{Journal{[]string{"1|1"}}, `{"entries":["1|1"]}`},
	{JournalKept{2}, `{"recorded":2}`},
	{UpdateProject{Commands: new(CommandsAny)}, `{"commands":"any"}`},
	{UpdateProject{OfflineTTLSeconds: new(int64(0))}, `{"offline_ttl_seconds":0}`},
	{RevokedProject{Revoked: true, ProjectName: "p"}, `{"revoked":true,"project_name":"p"}`},
	{ProjectSecrets{EnvVars: map[string]Value{"B": value("\""), "A": value("")}}, `{"env_vars":{"A":"","B":"\""}}`},
	{
		ProjectSecrets{map[string]Value{}, map[string]SSHKey{"K": {"ssh-ed25519 AAAA", []string{"SHA256:h"}}}, []string{"A"}, &Offline{60, "1,a"}, CommandsEnforce, &AllowedPin{"i", []string{"HOME"}, true}},
		`{"env_vars":{},"ssh_keys":{"K":{"public_key":"ssh-ed25519 AAAA","hosts":["SHA256:h"]}},"withheld":["A"],"offline":{"ttl_seconds":60,"receipt":"1,a"},"commands":"enforce","pin":{"id":"i","env":["HOME"],"sealed":true}}`,
	},
	{SSHSign{"K", "aG9zdA==", "c2Vzc2lvbg==", "c2ln", "cmVx", json.RawMessage(`{}`)}, `{"name":"K","host_key":"aG9zdA==","session":"c2Vzc2lvbg==","host_signature":"c2ln","request":"cmVx","command":{}}`},
	{SSHSign{Name: "K"}, `{"name":"K","host_key":"","session":"","host_signature":"","request":""}`},
	{SSHSignature{"c2ln"}, `{"signature":"c2ln"}`},

	{
		Grant{"i", "p", "", "a/b#/c", "default", "B", "admin", at, "/c"},
		`{"id":"i","project_name":"p","secret_id":"","secret_key_path":"a/b#/c","secret_namespace":"default","env_var_name":"B","granted_by":"admin","granted_at":"2026-04-27 18:40:00","json_pointer":"/c"}`,
	},
	{
		Grant{"i", "p", "", "a/b", "default", "B", "admin", at, ""},
		`{"id":"i","project_name":"p","secret_id":"","secret_key_path":"a/b","secret_namespace":"default","env_var_name":"B","granted_by":"admin","granted_at":"2026-04-27 18:40:00"}`,
	},
	{CreateGrant{"s", new("B"), "/c"}, `{"secret_id":"s","env_var_name":"B","json_pointer":"/c"}`},
	{CreateGrant{SecretID: "s"}, `{"secret_id":"s"}`},
	{CreatedGrant{"i", "p", "s", "a/b#/c", new("B"), "/c"}, `{"id":"i","project_name":"p","secret_id":"s","secret_key_path":"a/b#/c","env_var_name":"B","json_pointer":"/c"}`},
	{CreatedGrant{"i", "p", "s", "a/b", nil, ""}, `{"id":"i","project_name":"p","secret_id":"s","secret_key_path":"a/b","env_var_name":null}`},

	{
		PendingGrant{"i", "bot", "p", "default", []string{"A"}, []string{}, StatusPending, at, nil, nil, nil, nil, nil, nil},
		`{"id":"i","agent_id":"bot","project_name":"p","namespace":"default","requested_keys":["A"],"approved_keys":[],"status":"pending","requested_at":"2026-04-27 18:40:00","decided_at":null,"decided_by":null,"auto_approval_until":null,"source_ip":null}`,
	},
	{
		PendingGrant{"i", "bot", "p", "default", []string{"A"}, []string{"A"}, StatusApproved, at, &at, new("admin"), &at, new("192.0.2.7"), []GrantItem{{"A", "a", "proposed", ""}, {"B", "b", "proposed", "c"}}, &Command{Program: "/p", ProgramSHA256: "aa", Args: []string{}, Dir: "/"}},
		`{"id":"i","agent_id":"bot","project_name":"p","namespace":"default","requested_keys":["A"],"approved_keys":["A"],"status":"approved","requested_at":"2026-04-27 18:40:00","decided_at":"2026-04-27 18:40:00","decided_by":"admin","auto_approval_until":"2026-04-27 18:40:00","source_ip":"192.0.2.7","items":[{"env_var_name":"A","key_path":"a","kind":"proposed"},{"env_var_name":"B","key_path":"b","kind":"proposed","asked_key_path":"c"}],"command":{"program":"/p","program_sha256":"aa","args":[],"dir":"/"}}`,
	},
	{ApproveGrant{}, `{}`},
	{ApproveGrant{ApprovedKeys: &[]string{}}, `{"approved_keys":[]}`},
	{ApproveGrant{&[]string{"A"}, map[string]string{"A": "b"}, new(7), true}, `{"approved_keys":["A"],"remap":{"A":"b"},"auto_approval_days":7,"pin":true}`},
	{
		GrantStatus{"", "i", "p", StatusApproved, []string{"A", "B"}, []string{"A"}, &at},
		`{"grant_id":"i","project_name":"p","status":"approved","requested_keys":["A","B"],"approved_keys":["A"],"auto_approval_until":"2026-04-27 18:40:00"}`,
	},
	{
		GrantStatus{GrantOfCommand, "i", "p", StatusPending, []string{"A"}, []string{}, nil},
		`{"kind":"pin","grant_id":"i","project_name":"p","status":"pending","requested_keys":["A"],"approved_keys":[],"auto_approval_until":null}`,
	},

	{
		Pin{
			"i", "p", "default", StatusApproved, "bot",
			&Command{"/p", "aa", "/bin/sh", "bb", []string{"x"}, []CommandFile{{0, "/x", "cc"}}, "/d", []string{"dir"}}, "dd",
			&PinRule{"/p", "aa", "/bin/sh", "bb", []string{"**"}, []CommandFile{{0, "/x", ""}}, []string{"/d"}, []string{"E"}, []string{"dir"}, true},
			[]string{"w"},
			at, at, &at, new("admin"), new("192.0.2.7"),
		},
		`{"id":"i","project_name":"p","namespace":"default","status":"approved","agent_id":"bot","command":{"program":"/p","program_sha256":"aa","interpreter":"/bin/sh","interpreter_sha256":"bb","args":["x"],"files":[{"arg":0,"path":"/x","sha256":"cc"}],"dir":"/d","weak":["dir"]},"command_digest":"dd","pin":{"program":"/p","program_sha256":"aa","interpreter":"/bin/sh","interpreter_sha256":"bb","args":["**"],"files":[{"arg":0,"path":"/x"}],"dirs":["/d"],"env":["E"],"weak":["dir"],"sealed":true},"weakness":["w"],"first_asked":"2026-04-27 18:40:00","last_asked":"2026-04-27 18:40:00","decided_at":"2026-04-27 18:40:00","decided_by":"admin","source_ip":"192.0.2.7"}`,
	},
	{
		Pin{ID: "i", ProjectName: "p", Namespace: "default", Status: StatusLearned, Weakness: []string{}, FirstAsked: at, LastAsked: at},
		`{"id":"i","project_name":"p","namespace":"default","status":"learned","weakness":[],"first_asked":"2026-04-27 18:40:00","last_asked":"2026-04-27 18:40:00","decided_at":null,"decided_by":null,"source_ip":null}`,
	},
	{CreatePin{PinRule{Args: []string{}, Dirs: []string{"/d"}}}, `{"pin":{"args":[],"dirs":["/d"]}}`},
	{ApprovePin{&[]string{"**"}, &[]string{"/d"}, &[]string{"E"}, true}, `{"args":["**"],"dirs":["/d"],"env":["E"],"sealed":true}`},
	{ApprovePin{}, `{}`},
	{ForCommand{json.RawMessage(`{}`)}, `{"command":{}}`},
	{ForCommand{}, `{}`},
	{ForConfig{json.RawMessage(`{}`), new("/srv/app/app.conf")}, `{"command":{},"path":"/srv/app/app.conf"}`},
	{ForConfig{Path: new("/srv/app/app.conf")}, `{"path":"/srv/app/app.conf"}`},
	{ForConfig{}, `{}`},

	{FreezeTarget{KindAgent, "bot", "", "default", new("stolen")}, `{"kind":"agent","name":"bot","namespace":"default","reason":"stolen"}`},
	{FreezeTarget{Kind: KindSecret, ID: "i"}, `{"kind":"secret","id":"i"}`},
	{
		Freeze{KindAgent, "bot", "i", "default", new("stolen"), "admin", at},
		`{"kind":"agent","name":"bot","id":"i","namespace":"default","reason":"stolen","frozen_by":"admin","frozen_at":"2026-04-27 18:40:00"}`,
	},
	{
		Freeze{KindNamespace, "prod", "prod", "prod", nil, "admin", at},
		`{"kind":"namespace","name":"prod","id":"prod","namespace":"prod","reason":null,"frozen_by":"admin","frozen_at":"2026-04-27 18:40:00"}`,
	},
	{Frozen{true, KindAgent, "bot", "default", false}, `{"frozen":true,"kind":"agent","name":"bot","namespace":"default"}`},
	{Frozen{true, KindAgent, "bot", "default", true}, `{"frozen":true,"kind":"agent","name":"bot","namespace":"default","already_frozen":true}`},
	{Unfrozen{true, KindAgent, "bot", "default"}, `{"unfrozen":true,"kind":"agent","name":"bot","namespace":"default"}`},

	{Event{Event: EventOpen, HeartbeatSeconds: 5}, `{"event":"open","heartbeat_seconds":5}`},
	{
		Event{EventGrantDecided, 7, &at, "", "", "p", []string{"A"}, "i", StatusApproved, "", 0, nil},
		`{"event":"grant_decided","seq":7,"at":"2026-04-27 18:40:00","project_name":"p","env_var_names":["A"],"grant_id":"i","status":"approved"}`,
	},
	{Event{Event: EventFreeze, Seq: 7, Kind: KindAgent, Name: "bot"}, `{"event":"freeze","seq":7,"kind":"agent","name":"bot"}`},
	{
		Event{Event: EventFreeze, Seq: 7, Kind: KindAgent, Name: "bot", OnFreeze: map[string]string{"p": FreezeEnds, "a": FreezeLeaves}},
		`{"event":"freeze","seq":7,"kind":"agent","name":"bot","on_freeze":{"a":"leave","p":"end"}}`,
	},
	{Event{Event: EventEnd, Reason: EndShutdown}, `{"event":"end","reason":"shutdown"}`},
	{
		ApprovedGrant{true, "i", []string{"A"}, at},
		`{"approved":true,"id":"i","approved_keys":["A"],"auto_approval_until":"2026-04-27 18:40:00"}`,
	},
	{DeniedGrant{true, "i"}, `{"denied":true,"id":"i"}`},

	{DeviceAuthorizeRequest{ClientID: "cortex-cli"}, `{"client_id":"cortex-cli"}`},
	{
		DeviceAuthorizeRequest{"cortex-cli", new("bot"), new("A6EH"), "prod", "h", "linux/amd64", "1.0", "https://v", new("n"), new(int64(7)), new("s")},
		`{"client_id":"cortex-cli","agent_id":"bot","agent_pub":"A6EH","namespace":"prod","hostname":"h","os":"linux/amd64","cli_version":"1.0","origin":"https://v","init_nonce":"n","init_ts":7,"init_proof":"s"}`,
	},
	{DeviceAuthorizeRequest{}, `{}`},
	{
		DeviceAuthorization{value("dc"), "BCDF-GHJK", "/device", "", 600, 5, false},
		`{"device_code":"dc","user_code":"BCDF-GHJK","verification_uri":"/device","expires_in":600,"interval":5}`,
	},
	{
		DeviceAuthorization{value("dc"), "BCDF-GHJK", "/device", "https://v/device?user_code=BCDF-GHJK", 600, 5, true},
		`{"device_code":"dc","user_code":"BCDF-GHJK","verification_uri":"/device","verification_uri_complete":"https://v/device?user_code=BCDF-GHJK","expires_in":600,"interval":5,"proved":true}`,
	},
	{
		DeviceTokenRequest{DeviceCode: value("dc"), GrantType: GrantTypeDeviceCode, PollTS: new(int64(7)), PollProof: new("s")},
		`{"device_code":"dc","grant_type":"urn:ietf:params:oauth:grant-type:device_code","poll_ts":7,"poll_proof":"s"}`,
	},
	{
		DeviceTokenRequest{GrantType: GrantTypeAssertion, Assertion: value("jwt")},
		`{"grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer","assertion":"jwt"}`,
	},
	{UserCode{"BCDF-GHJK"}, `{"user_code":"BCDF-GHJK"}`},
	{
		PendingDevice{"BCDF-GHJK", true, "bot", "default", new("SHA256:x"), "h", "linux", "1.0", "https://vault.example.com", "192.0.2.7", at, at, true, false},
		`{"user_code":"BCDF-GHJK","proved":true,"agent_id":"bot","namespace":"default","fingerprint":"SHA256:x","hostname":"h","os":"linux","cli_version":"1.0","origin":"https://vault.example.com","source_ip":"192.0.2.7","created_at":"2026-04-27 18:40:00","expires_at":"2026-04-27 18:40:00","new_agent":true,"key_change":false}`,
	},
	{DeniedDevice{true, "BCDF-GHJK"}, `{"denied":true,"user_code":"BCDF-GHJK"}`},
	{DeviceTokenRequest{DeviceCode: value("dc"), GrantType: GrantTypeDeviceCode}, `{"device_code":"dc","grant_type":"urn:ietf:params:oauth:grant-type:device_code"}`},
	{DeviceTokenRequest{DeviceCode: value("dc")}, `{"device_code":"dc"}`},
	{DeviceToken{value("jwt"), "Bearer", 2592000, "k"}, `{"access_token":"jwt","token_type":"Bearer","expires_in":2592000,"kid":"k"}`},
	{
		Device{"i", "BCDF-GHJK", StatusApproved, new("bot"), at, &at, new("192.0.2.7"), true, new("h"), &at},
		`{"id":"i","user_code":"BCDF-GHJK","status":"approved","agent_id":"bot","created_at":"2026-04-27 18:40:00","approved_at":"2026-04-27 18:40:00","source_ip":"192.0.2.7","proved":true,"hostname":"h","last_used_at":"2026-04-27 18:40:00"}`,
	},
	{
		Device{"i", "BCDF-GHJK", StatusPending, nil, at, nil, nil, false, nil, nil},
		`{"id":"i","user_code":"BCDF-GHJK","status":"pending","agent_id":null,"created_at":"2026-04-27 18:40:00","approved_at":null,"proved":false,"hostname":null,"last_used_at":null}`,
	},
	{ApproveDevice{"BCDF-GHJK", "bot", "prod", true}, `{"user_code":"BCDF-GHJK","agent_id":"bot","namespace":"prod","key_change":true}`},
	{ApproveDevice{UserCode: "BCDF-GHJK", AgentID: "bot"}, `{"user_code":"BCDF-GHJK","agent_id":"bot"}`},
	{ApprovedDevice{true, "BCDF-GHJK", "bot"}, `{"approved":true,"user_code":"BCDF-GHJK","agent_id":"bot"}`},
	{DeletedDevices{true, 3}, `{"deleted":true,"rows":3}`},

	{
		AttestRequest{"A6EH", "abab", new("0.1.0"), new(int64(42)), new(int64(1000)), new("h"), new("n"), new(int64(7)), new("b"), new(int64(6)), new("s")},
		`{"attestation_pub":"A6EH","binary_sha256":"abab","daemon_version":"0.1.0","daemon_pid":42,"daemon_uid":1000,"hostname":"h","nonce":"n","ts":7,"boot_id":"b","started_at":6,"agent_proof":"s"}`,
	},
	{AttestRequest{AttestationPub: "A6EH", BinarySHA256: "abab"}, `{"attestation_pub":"A6EH","binary_sha256":"abab"}`},
	{AttestResponse{"s", 86400, false}, `{"session_id":"s","expires_in":86400,"allowlist_enforced":false}`},
	{
		DaemonSession{"s", "bot", "abab", new("0.1.0"), new(int64(42)), new(int64(0)), new("h"), at, at, &at},
		`{"session_id":"s","agent_id":"bot","binary_sha256":"abab","daemon_version":"0.1.0","daemon_pid":42,"daemon_uid":0,"hostname":"h","created_at":"2026-04-27 18:40:00","expires_at":"2026-04-27 18:40:00","revoked_at":"2026-04-27 18:40:00"}`,
	},
	{
		DaemonSession{"s", "bot", "abab", nil, nil, nil, nil, at, at, nil},
		`{"session_id":"s","agent_id":"bot","binary_sha256":"abab","daemon_version":null,"daemon_pid":null,"daemon_uid":null,"hostname":null,"created_at":"2026-04-27 18:40:00","expires_at":"2026-04-27 18:40:00","revoked_at":null}`,
	},
	{
		AllowedDaemon{"abab", new("0.1.0"), new("d"), 1, at},
		`{"binary_sha256":"abab","version":"0.1.0","description":"d","enabled":1,"created_at":"2026-04-27 18:40:00"}`,
	},
	{
		AllowedDaemon{"abab", nil, nil, 0, at},
		`{"binary_sha256":"abab","version":null,"description":null,"enabled":0,"created_at":"2026-04-27 18:40:00"}`,
	},
	{AllowDaemon{"abab", new("0.1.0"), new("d"), new(false)}, `{"binary_sha256":"abab","version":"0.1.0","description":"d","enabled":false}`},
	{AllowDaemon{BinarySHA256: "abab"}, `{"binary_sha256":"abab"}`},
	{AllowedDaemonAdded{"abab", true}, `{"binary_sha256":"abab","enabled":true}`},

	{
		DiscoverRequest{"bot", "sig", DiscoverContext{"p", "A=\n"}, new(int64(1714248000)), new("n"), new(false), true, json.RawMessage(`{}`)},
		`{"agent_id":"bot","auth_proof":"sig","context":{"project_name":"p","file_content":"A=\n"},"ts":1714248000,"nonce":"n","regenerate_token":false,"signed_token":true,"command":{}}`,
	},
	{DiscoverRequest{AgentID: "bot"}, `{"agent_id":"bot","auth_proof":"","context":{"project_name":"","file_content":""}}`},
	{
		DiscoverResponse{map[string]string{"A": "a"}, true, value("tok"), at, 1209600, []string{}, "default", []string{"a"}, value("a.b.c"), "", "", ""},
		`{"mapped_keys":{"A":"a"},"full_matched":true,"project_token":"tok","token_expires_at":"2026-04-27 18:40:00","token_ttl_seconds":1209600,"unmatched_keys":[],"namespace":"default","scope":["a"],"signed_project_token":"a.b.c"}`,
	},
	{
		DiscoverResponse{map[string]string{}, false, value("tok"), at, 1209600, []string{"A"}, "default", []string{}, Value{}, MaskOptional, FreezeEnds, CommandsLearn},
		`{"mapped_keys":{},"full_matched":false,"project_token":"tok","token_expires_at":"2026-04-27 18:40:00","token_ttl_seconds":1209600,"unmatched_keys":["A"],"namespace":"default","scope":[],"masking":"optional","on_freeze":"end","commands":"learn"}`,
	},

	{AuditHead{"n\n", "k"}, `{"note":"n\n","verifier_key":"k"}`},
	{VerifyAudit{"n\n"}, `{"since_head":"n\n"}`},
	{VerifyAudit{}, `{}`},
	{
		AuditReport{false, true, 3, 1, 3, &AuditBreak{4, "w"}},
		`{"intact":false,"keyed":true,"rows":3,"first":1,"last":3,"broken":{"seq":4,"why":"w"}}`,
	},
	{AuditReport{Intact: true}, `{"intact":true,"keyed":false,"rows":0,"first":0,"last":0,"broken":null}`},
	{AuditBreak{4, "w"}, `{"seq":4,"why":"w"}`},
	{
		AuditRow{"i", new("bot"), new("p"), "get_secrets", new("p"), "success", at, new(int64(4242)), new("ab"), new("cd"), new("/srv"), new("ef"), new("192.0.2.7"), new("h"), new("linux/amd64"), "00", "11", 7, &AuditActor{"admin", "u", "default", "login", "ann"}, []AuditResource{{"a/b", "allowed"}}},
		`{"id":"i","agent_id":"bot","project_name":"p","action":"get_secrets","resource_path":"p","status":"success","timestamp":"2026-04-27 18:40:00","caller_pid":4242,"caller_binary_sha256":"ab","caller_argv_hash":"cd","caller_cwd":"/srv","caller_git_commit":"ef","source_ip":"192.0.2.7","hostname":"h","os":"linux/amd64","prev_hash":"00","entry_mac":"11","seq":7,"actor":{"kind":"admin","id":"u","namespace":"default","auth":"login","name":"ann"},"resources":[{"path":"a/b","decision":"allowed"}]}`,
	},
	{
		AuditRow{ID: "i", Action: "rotate_kek", Status: "success", Timestamp: at, EntryMAC: "11"},
		`{"id":"i","agent_id":null,"project_name":null,"action":"rotate_kek","resource_path":null,"status":"success","timestamp":"2026-04-27 18:40:00","caller_pid":null,"caller_binary_sha256":null,"caller_argv_hash":null,"caller_cwd":null,"caller_git_commit":null,"source_ip":null,"hostname":null,"os":null,"prev_hash":"","entry_mac":"11"}`,
	},

	{
		Channel{ID: "i", ChannelType: Slack, Name: "ops", Enabled: true, CreatedAt: at, UpdatedAt: at},
		`{"id":"i","channel_type":"slack","name":"ops","enabled":true,"description":null,"created_at":"2026-04-27 18:40:00","updated_at":"2026-04-27 18:40:00"}`,
	},
	{
		Channel{"i", Email, "ops", false, new("d"), at, at, "warning", []string{"prod"}, []string{"freeze"}, "{{title}}", 1, 2, &at, "it took too long"},
		`{"id":"i","channel_type":"email","name":"ops","enabled":false,"description":"d","created_at":"2026-04-27 18:40:00","updated_at":"2026-04-27 18:40:00","min_severity":"warning","namespaces":["prod"],"events":["freeze"],"template":"{{title}}","queued":1,"dead_letters":2,"delivered_at":"2026-04-27 18:40:00","last_error":"it took too long"}`,
	},
	{
		CreateChannel{Slack, "ops", NewDocument([]byte(`{"webhook_url":"u"}`)), new(false), new("d"), "info", []string{"prod"}, []string{"freeze"}, "t"},
		`{"channel_type":"slack","name":"ops","config":{"webhook_url":"u"},"enabled":false,"description":"d","min_severity":"info","namespaces":["prod"],"events":["freeze"],"template":"t"}`,
	},
	{CreateChannel{ChannelType: Slack, Name: "ops", Config: NewDocument([]byte(`7`))}, `{"channel_type":"slack","name":"ops","config":7}`},
	{CreatedChannel{"i", "ops", Discord}, `{"id":"i","name":"ops","channel_type":"discord"}`},
	{UpdateChannel{}, `{}`},
	{
		UpdateChannel{NewDocument([]byte(`{}`)), new(true), new("d"), new(""), &[]string{}, &[]string{}, new("t")},
		`{"config":{},"enabled":true,"description":"d","min_severity":"","namespaces":[],"events":[],"template":"t"}`,
	},
	{TestedChannel{Queued: true, Name: "ops"}, `{"queued":true,"name":"ops"}`},
	{TestedChannel{true, "ops", new(false), "e"}, `{"queued":true,"name":"ops","delivered":false,"error":"e"}`},
	{
		DeadLetter{Number: 7, ID: "i", Kind: "freeze", Severity: "warning", CreatedAt: at, Attempts: 3, Error: "e", DiedAt: at},
		`{"number":7,"id":"i","kind":"freeze","severity":"warning","created_at":"2026-04-27 18:40:00","attempts":3,"error":"e","died_at":"2026-04-27 18:40:00"}`,
	},
	{
		DeadLetter{7, "i", "freeze", "warning", "n", "bot", "p", "r", 42, []string{"A"}, at, 3, "e", at},
		`{"number":7,"id":"i","kind":"freeze","severity":"warning","namespace":"n","agent_id":"bot","project_name":"p","resource":"r","audit_seq":42,"keys":["A"],"created_at":"2026-04-27 18:40:00","attempts":3,"error":"e","died_at":"2026-04-27 18:40:00"}`,
	},
	{Retried{3}, `{"queued":3}`},
	{
		Notification{ID: "i", Kind: "test", Severity: "info", Title: "t", Text: "x", Time: "2026-04-27T18:40:00Z", Test: true},
		`{"id":"i","kind":"test","severity":"info","title":"t","text":"x","time":"2026-04-27T18:40:00Z","test":true}`,
	},
	{
		Notification{"i", "k", "info", "t", "x", "n", "bot", "p", "r", "g", "why", []string{"A"}, "admin", "192.0.2.7", "h", 2, 42, "2026-04-27T18:40:00Z", false},
		`{"id":"i","kind":"k","severity":"info","title":"t","text":"x","namespace":"n","agent_id":"bot","project_name":"p","resource":"r","grant_id":"g","reason":"why","keys":["A"],"actor":"admin","source_ip":"192.0.2.7","hostname":"h","more":2,"audit_seq":42,"time":"2026-04-27T18:40:00Z"}`,
	},

	{Health{"ok", "ok"}, `{"status":"ok","db":"ok"}`},
	{
		JWKS{[]JWK{{"OKP", "Ed25519", "kid-1", "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg", "EdDSA"}}},
		`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"kid-1","x":"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg","alg":"EdDSA"}]}`,
	},
	{JWKS{[]JWK{}}, `{"keys":[]}`},

	{Error{Status: 409, Message: "exists", Code: Conflict, RetryAfter: time.Second}, `{"error":"exists","error_code":"conflict"}`},
	{Error{Message: "x"}, `{"error":"x"}`},
	{
		Error{Message: "x", Code: PendingApproval, Details: &Details{GrantID: "g", RequestedKeys: []string{"A"}, AgentID: "bot", ProjectName: "p"}},
		`{"error":"x","error_code":"pending_approval","details":{"grant_id":"g","requested_keys":["A"],"agent_id":"bot","project_name":"p"}}`,
	},
	{
		Error{Message: "x", Code: CommandNotPinned, Details: &Details{PinID: "i", Why: "w"}},
		`{"error":"x","error_code":"command_not_pinned","details":{"pin_id":"i","why":"w"}}`,
	},
}

func TestGolden(t *testing.T) {
	for _, row := range golden {
		b, err := json.Marshal(row.v)
		if err != nil || string(b) != row.want {
			t.Errorf("%T\n got %s\nwant %s (%v)", row.v, b, row.want, err)
			continue
		}
		// It comes back as it went.
		back := reflect.New(reflect.TypeOf(row.v))
		if err := json.Unmarshal(b, back.Interface()); err != nil {
			t.Errorf("%T: %v", row.v, err)
			continue
		}
		again, err := json.Marshal(back.Interface())
		if err != nil || string(again) != row.want {
			t.Errorf("%T came back as %s (%v)", row.v, again, err)
		}
	}
}

// Every type with members on the wire has a golden text, as such or as part of
// another.
func TestGoldenIsComplete(t *testing.T) {
	seen := map[string]bool{}
	var note func(reflect.Type)
	note = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			note(typ.Elem())
		case reflect.Struct:
			if seen[typ.Name()] {
				return
			}
			seen[typ.Name()] = true
			for i := range typ.NumField() {
				note(typ.Field(i).Type)
			}
		}
	}
	for _, row := range golden {
		note(reflect.TypeOf(row.v))
	}
	for _, name := range wireTypes(t) {
		if !seen[name] {
			t.Errorf("%s has no golden text", name)
		}
	}
}

// wireTypes returns the names of the structs in this package that have json
// tags.
func wireTypes(t *testing.T) (names []string) {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok && s.Fields.NumFields() > 0 && s.Fields.List[0].Tag != nil {
				names = append(names, spec.Name.Name)
			}
			return true
		})
	}
	if len(names) < 40 {
		t.Fatalf("found only %v", names)
	}
	return names
}

// Requests of existing clients: unknown members, and null where a member is
// optional.
func TestRequestsOfExistingClients(t *testing.T) {
	decode := func(text string, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	var d DiscoverRequest
	decode(`{"agent_id":"a","auth_proof":"p","context":{"project_name":"n","file_content":"A=1","x":1},"ts":5,"nonce":"0123456789abcdef","regenerate_token":null,"new":{}}`, &d)
	if d.RegenerateToken != nil || d.SignedToken || *d.TS != 5 || *d.Nonce != "0123456789abcdef" {
		t.Errorf("%+v", d)
	}
	var a ApproveGrant
	decode(`{"approved_keys":null}`, &a)
	if a.ApprovedKeys != nil {
		t.Errorf("%+v", a)
	}
	decode(`{"approved_keys":[]}`, &a)
	if a.ApprovedKeys == nil || len(*a.ApprovedKeys) != 0 {
		t.Errorf("nothing approved reads as %+v", a)
	}
	var u UpdateSecret
	decode(`{"value":null,"description":null,"is_honey_token":null}`, &u)
	if !u.Value.IsZero() || u.Description != nil || u.IsHoneyToken != nil {
		t.Errorf("%+v", u)
	}
	var v AllowDaemon
	decode(`{"binary_sha256":"ab","version":null,"description":null,"enabled":null}`, &v)
	if v.Enabled != nil || v.Version != nil {
		t.Errorf("%+v", v)
	}
	var p CreatePolicy
	decode(`{"policy_name":"n","agent_pattern":"*","allowed_paths":[]}`, &p)
	if p.AllowedPaths == nil || p.DeniedPaths != nil {
		t.Errorf("%+v", p)
	}
	var q AttestRequest
	decode(`{"attestation_pub":"k","binary_sha256":"h","daemon_version":"0.1.0","daemon_pid":7,"daemon_uid":1000,"hostname":"x"}`, &q)
	if *q.DaemonPID != 7 || *q.DaemonVersion != "0.1.0" {
		t.Errorf("%+v", q)
	}
}

// What an older server answers, whose rows lack what is new.
func TestAnswersOfOlderServers(t *testing.T) {
	var g []PendingGrant
	if err := json.Unmarshal([]byte(`[{"id":"i","agent_id":"a","project_name":"p","namespace":"default","requested_keys":["a/b"],"approved_keys":[],"status":"pending","requested_at":"2026-04-27 18:40:00","decided_at":null,"decided_by":null,"auto_approval_until":null,"source_ip":"unknown"}]`), &g); err != nil || g[0].Items != nil || g[0].DecidedAt != nil {
		t.Errorf("%+v, %v", g, err)
	}
	var s ProjectSecrets
	if err := json.Unmarshal([]byte(`{"env_vars":{"A":"v"}}`), &s); err != nil || s.Withheld != nil || string(s.EnvVars["A"].Reveal()) != "v" {
		t.Errorf("%+v, %v", s, err)
	}
	var d DiscoverResponse
	if err := json.Unmarshal([]byte(`{"mapped_keys":{},"full_matched":false,"project_token":"t","token_expires_at":"2026-05-11T18:40:00Z","token_ttl_seconds":1209600,"unmatched_keys":[],"namespace":"default","scope":[]}`), &d); err != nil || !d.SignedProjectToken.IsZero() || d.TokenExpiresAt.String() != "2026-05-11 18:40:00" {
		t.Errorf("%+v, %v", d, err)
	}
}
