# What the scripts here begin with: a vault on this host with a secret in it.
set -euo pipefail
export ADMIN_TOKEN=nspawn-admin-token-0123456789 CORTEX_KEK_PASSWORD="nspawn operator password" CORTEX_KDF_PROFILE=low \
	CORTEX_AUDIT_RESERVE=off INSECURE_HTTP=1 CORTEX_RATE_LIMITS=off URL=http://127.0.0.1:3000 CORTEX_URL=http://127.0.0.1:3000

fail() { echo "FAILED: $*"; exit 1; }

# await COMMAND... tries for a minute.
await() {
	for _ in {1..600}; do
		if "$@"; then return; fi
		sleep 0.1
	done
	fail "$*"
}

# login COMMAND... logs in as the agent bot with that in front of cortex.
login() {
	"$@" cortex daemon login --agent-id bot --url "$URL" --no-browser >/tmp/login 2>&1 &
	await grep -qE '[B-Z2-9]{4}-[B-Z2-9]{4}' /tmp/login
	cortex device approve "$(grep -oEm1 '[B-Z2-9]{4}-[B-Z2-9]{4}' /tmp/login | head -1)" --agent bot
	wait $!
}

# attacked FILE [-]ID=OUTCOME... looks at what "doctor --attack --json" says became of
# moves, which may be one or the other by a slash: with - in front, one that went further than it should.
attacked() {
	python3 - "$@" <<-'EOF'
		import json, sys
		report = json.load(open(sys.argv[1]))
		moves = {m["id"]: m for m in report["moves"]}
		for want in sys.argv[2:]:
		    name, outcome = want.lstrip("-").split("=")
		    m = moves[name]
		    if m.get("outcome", "untried") not in outcome.split("/") or m["ok"] == want.startswith("-"):
		        sys.exit("FAILED: %s: %s" % (want, m))
		print("attacked:", report["install"], report["target"], {m["id"]: m.get("outcome") for m in report["moves"]})
	EOF
}

mkdir /root/vault
(cd /root/vault && exec cortex serve >/root/vault/log 2>&1) &
await cortex seal-status >/dev/null 2>&1
printf sk-nspawn-canary | cortex secret set openai_api_key --value-file -
