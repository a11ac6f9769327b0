package blackbox

import (
	"net/url"
	"strings"
)

// fields are the texts that people and programs may choose, and how each gets
// in.
func fields(v *vault, s *stage) map[string]func(text string) answer {
	id := func() string { return hexNonce(8) }
	secret := v.keepAs(object{"key_path": "doc", "secret_type": "JSON_CONFIG", "value": `{"a":1}`})
	post := func(path string, body object) answer { return v.admin("POST", path, body) }
	keep := func(member string, value any) answer {
		o := object{"key_path": "p/" + id(), "secret_type": "KEY_VALUE", "value": "v"}
		o[member] = value
		return post("/admin/secrets", o)
	}
	agent := func(member, text string) answer {
		o := object{"agent_id": id(), "agent_pub": public(newKey(v.t))}
		o[member] = text
		return post("/admin/agents", o)
	}
	policy := func(member string, value any) answer {
		o := object{"policy_name": id(), "agent_pattern": "nobody", "allowed_paths": []string{}}
		o[member] = value
		return post("/admin/policies", o)
	}
	channel := func(member string, value any) answer {
		o := object{"channel_type": "slack", "name": id(), "enabled": false, "config": object{"webhook_url": "https://example.com/"}}
		o[member] = value
		return post("/admin/notification-channels", o)
	}
	return map[string]func(text string) answer{
		"path":        func(x string) answer { return keep("key_path", x) },
		"description": func(x string) answer { return keep("description", x) },
		"namespace":   func(x string) answer { return keep("namespace", x) },
		"tag":         func(x string) answer { return keep("tags", []string{x}) },
		"type":        func(x string) answer { return keep("secret_type", x) },
		"bulk prefix": func(x string) answer {
			return post("/admin/secrets/bulk", object{"format": "dotenv", "content": "A" + id() + "=1", "prefix": x})
		},
		"bulk name": func(x string) answer {
			return post("/admin/secrets/bulk", object{"format": "json", "content": string(asJSON(v.t, object{x: "1"})), "on_conflict": "skip"})
		},
		"agent":            func(x string) answer { return agent("agent_id", x) },
		"agent's text":     func(x string) answer { return agent("description", x) },
		"policy":           func(x string) answer { return policy("policy_name", x) },
		"pattern":          func(x string) answer { return policy("agent_pattern", x) },
		"allowed path":     func(x string) answer { return policy("allowed_paths", []string{x}) },
		"denied path":      func(x string) answer { return policy("denied_paths", []string{x}) },
		"new namespace":    func(x string) answer { return post("/admin/namespaces", object{"name": x}) },
		"namespace's text": func(x string) answer { return post("/admin/namespaces", object{"name": id(), "description": x}) },
		"project": func(x string) answer {
			return post("/admin/projects/"+url.PathEscape(x)+"/grants", object{"secret_id": v.keep("p/"+id(), "v")})
		},
		"variable": func(x string) answer {
			return post("/admin/projects/"+s.app+"/grants", object{"secret_id": v.keep("p/"+id(), "v"), "env_var_name": x})
		},
		"pointer": func(x string) answer {
			return post("/admin/projects/"+s.app+"/grants", object{"secret_id": secret, "json_pointer": "/" + x, "env_var_name": "V" + id()})
		},
		"channel":             func(x string) answer { return channel("name", x) },
		"channel's text":      func(x string) answer { return channel("description", x) },
		"channel's template":  func(x string) answer { return channel("template", x) },
		"channel's event":     func(x string) answer { return channel("events", []string{x}) },
		"channel's namespace": func(x string) answer { return channel("namespaces", []string{x}) },
		"channel's severity":  func(x string) answer { return channel("min_severity", x) },
		"changed text":        func(x string) answer { return v.admin("PUT", "/admin/secrets/"+secret, object{"description": x}) },
		"changed tag":         func(x string) answer { return v.admin("PUT", "/admin/secrets/"+secret, object{"tags": []string{x}}) },
		"share's path": func(x string) answer {
			return post("/admin/secrets/"+secret+"/shares", object{"namespace": "default", "key_path": x})
		},
		"share's namespace": func(x string) answer {
			return post("/admin/secrets/"+secret+"/shares", object{"namespace": x, "key_path": "there/" + id()})
		},
		"bulk namespace": func(x string) answer {
			return post("/admin/secrets/bulk", object{"format": "dotenv", "content": "A" + id() + "=1", "namespace": x})
		},
		"account's namespace": func(x string) answer {
			return post("/admin/users", object{"name": id(), "role": "auditor", "password": "long enough password", "namespaces": []string{x}})
		},
		"masking": func(x string) answer {
			return v.admin("PUT", "/admin/projects/"+s.app+"/settings", object{"masking": x})
		},
		"reason": func(x string) answer {
			v.keep("f/"+sum([]byte(x)), "v")
			return post("/admin/freeze", object{"kind": "secret", "name": "f/" + sum([]byte(x)), "reason": x})
		},
		"frozen": func(x string) answer { return post("/admin/freeze", object{"kind": "secret", "name": x}) },
		"account": func(x string) answer {
			return post("/admin/users", object{"name": x, "role": "auditor", "password": "long enough password"})
		},
		"version": func(x string) answer {
			return post("/admin/allowed-daemon-versions", object{"binary_sha256": hexNonce(32), "version": x, "enabled": false})
		},
		"version's text": func(x string) answer {
			return post("/admin/allowed-daemon-versions", object{"binary_sha256": hexNonce(32), "description": x, "enabled": false})
		},
		"approved agent": func(x string) answer {
			return post("/admin/web/device/approve", object{"user_code": "BBBB-BBBB", "agent_id": x})
		},
		"wanted project":  func(x string) answer { return s.discover(x, s.env()) },
		"wanted variable": func(x string) answer { return s.discover(s.app, x+"=\n") },
		"nonce":           func(x string) answer { return s.discover(s.app, s.env(), object{"nonce": x}) },
		"secret's id":     func(x string) answer { return post("/admin/projects/"+s.app+"/grants", object{"secret_id": x}) },
		"log-in":          func(x string) answer { return post("/login", object{"name": x, "password": "long enough password"}) },
		"user code":       func(x string) answer { return post("/admin/web/device/lookup", object{"user_code": x}) },
		"approved variable": func(x string) answer {
			return post("/admin/pending-grants/"+id()+"/approve", object{"approved_keys": []string{x}})
		},
		"other secret": func(x string) answer {
			return post("/admin/pending-grants/"+id()+"/approve", object{"remap": object{x: x}})
		},
		"device's agent":  func(x string) answer { return s.send("POST", "/device/token", object{"device_code": x}) },
		"agent that asks": func(x string) answer { return s.discover(s.app, s.env(), object{"agent_id": x}) },
	}
}

// parameters are the routes in whose paths and queries a text may stand, as X.
var parameters = []string{
	"GET secrets/X", "PUT secrets/X", "DELETE secrets/X", "POST secrets/X/undelete", "POST secrets/X/destroy", "GET secrets/X/versions", "POST secrets/X/rollback",
	"POST secrets/X/shares", "DELETE secrets/X/shares/default", "DELETE secrets/S/shares/X", "DELETE agents/X", "DELETE agents/nobody?namespace=X",
	"DELETE policies/X", "DELETE namespaces/X", "DELETE projects/X", "PUT projects/X/settings", "POST projects/X/revoke", "POST projects/nothing/revoke?namespace=X",
	"GET projects/X/grants", "DELETE projects/X/grants/S", "DELETE projects/nothing/grants/X", "POST pending-grants/X/approve", "POST pending-grants/X/deny",
	"DELETE pending-grants/X", "POST unfreeze", "DELETE devices/X", "DELETE daemon-sessions/X", "DELETE allowed-daemon-versions/X", "PUT users/X", "DELETE users/X",
	"POST confirmations/X/confirm", "DELETE confirmations/X", "PUT notification-channels/X", "DELETE notification-channels/X", "POST notification-channels/X/test",
	"GET notification-channels/X/dead-letters", "POST notification-channels/X/dead-letters/retry", "GET secrets?namespace=X", "GET secrets?tag=X", "GET audit-logs?agent=X",
}

// asks sends a request to one of the parameters.
func (v *vault) asks(route, text string) answer {
	v.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	path = "/admin/" + strings.Replace(path, "X", url.PathEscape(text), 1)
	if method == "GET" {
		return v.admin(method, path, nil)
	}
	return v.admin(method, path, object{"version": 1, "namespace": "default", "kind": "agent", "name": text})
}
