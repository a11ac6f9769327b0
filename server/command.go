package server

import (
	"context"
	"log/slog"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/vault/harden"
)

// Command returns the verb that serves a vault. It returns at SIGTERM, SIGINT,
// SIGQUIT or SIGABRT, or when its context ends otherwise than by SIGHUP, after
// the requests under way were answered, or with an error if it could not begin or
// go on.
func Command() *cli.Command {
	var s settings
	var checkOnly bool
	return &cli.Command{
		Name:  "serve",
		Usage: "serve a vault over HTTP",
		Description: `Opens the vault file, unseals it with the operator password, and listens only then.

The password comes from CORTEX_KEK_PASSWORD, a file (CORTEX_KEK_PASSWORD_FILE), the
systemd credential "kek-password", the terminal, or a line of standard input. The admin
token comes from ADMIN_TOKEN, a file (ADMIN_TOKEN_FILE) or the credential "admin-token";
without any, one is made on the first start and shown once. A token that reads /metrics
comes from CORTEX_METRICS_TOKEN, a file (CORTEX_METRICS_TOKEN_FILE) or the credential
"metrics-token"; without any, the admin token does.

SIGTERM, SIGINT and SIGQUIT stop the server after the requests under way; SIGHUP reads the
certificate again, and from the configuration file the rate limits, trusted proxies,
dashboard origins and log level.

A configuration file (--config, CORTEX_CONFIG) has lines NAME=value with the names of the
variables, those of secrets excepted. Flags and the environment win over it.`,
		Flags: append(s.flags(), &cli.BoolFlag{Name: "check-config", Usage: "say what is wrong with the settings, and with the files they name, and change nothing", Destination: &checkOnly}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			s, err := s.complete(ctx, cmd.IsSet)
			if err != nil {
				return err
			}
			// At SIGHUP, which ends commands, it goes on with a new certificate.
			ctx, stop := harden.Outliving(ctx)
			defer stop()
			level := &slog.LevelVar{}
			if l, err := parseLevel(s.logLevel); err == nil { // else the plan says so
				level.Set(l)
			}
			p := program{
				log:    newLog(cmd.Root().ErrWriter, s.logFormat, level),
				level:  level,
				stdin:  os.Stdin,
				stdout: cmd.Root().Writer,
			}
			if checkOnly {
				return p.check(ctx, s)
			}
			if err := harden.Refuse(os.Environ()); err != nil {
				return err
			}
			return p.run(ctx, s)
		},
	}
}

func (s *settings) flags() []cli.Flag {
	text := func(dst *string, name, variable, usage string) *cli.StringFlag {
		return &cli.StringFlag{Name: name, Usage: usage, Sources: cli.EnvVars(variable), Destination: dst}
	}
	file := func(dst *string, name, variable, usage string) *cli.StringFlag {
		f := text(dst, name, variable, usage)
		f.TakesFile = true
		return f
	}
	db := text(&s.database, "db", "DATABASE_URL", "vault `FILE`, or bolt://FILE")
	db.DefaultText = "cortex-auth.db in the working directory"
	listen := text(&s.listen, "listen", "CORTEX_LISTEN", "`ADDRESS` to listen on, with or without a port")
	listen.DefaultText = "all addresses; without TLS 127.0.0.1"
	port := text(&s.port, "port", "PORT", "`PORT` to listen on, where the address names none")
	port.Value = "3000"
	level := text(&s.logLevel, "log-level", "CORTEX_LOG_LEVEL", "`LEVEL` from which on the log is written: debug, info, warn or error")
	level.DefaultText = "info"
	format := text(&s.logFormat, "log-format", "CORTEX_LOG_FORMAT", "`FORM` of the log: text or json")
	format.DefaultText = "text"
	profile := text(&s.kdfProfile, "kdf-profile", "CORTEX_KDF_PROFILE", "`PROFILE` for a new operator password, what a guess costs: high (1 GiB) or low (64 MiB)")
	profile.DefaultText = "the vault's own; of a new vault high, or low with less than 3 GiB of free memory"
	return []cli.Flag{
		file(&s.configFile, "config", "CORTEX_CONFIG", "`FILE` with settings, one NAME=value in a line"),
		db, listen, port,
		file(&s.certFile, "tls-cert", "TLS_CERT_FILE", "certificate chain in a PEM `FILE`"),
		file(&s.keyFile, "tls-key", "TLS_KEY_FILE", "its key in a PEM `FILE`"),
		text(&s.tls, "tls", "CORTEX_TLS", "`auto`: a certificate of the server's own, whose key is sealed in the vault and pinned by clients"),
		&cli.BoolFlag{Name: "insecure-http", Usage: "serve plain HTTP, on 127.0.0.1 unless an address is named (INSECURE_HTTP=1)", Destination: &s.insecureHTTP},
		file(&s.passwordFile, "kek-password-file", "CORTEX_KEK_PASSWORD_FILE", "`FILE` with the operator password"),
		file(&s.adminTokenFile, "admin-token-file", "ADMIN_TOKEN_FILE", "`FILE` with the admin token, at least 16 bytes"),
		file(&s.metricsTokenFile, "metrics-token-file", "CORTEX_METRICS_TOKEN_FILE", "`FILE` with a token that reads /metrics and nothing else, at least 16 bytes"),
		&cli.BoolFlag{Name: "new-certificate", Usage: "make the server's own certificate anew, with another key; clients that know the vault follow", Destination: &s.newCertificate},
		&cli.BoolFlag{Name: "reset-admin-token", Usage: "make a new admin token and show it", Destination: &s.resetAdminToken},
		profile,
		text(&s.rateLimits, "rate-limits", "CORTEX_RATE_LIMITS", "changes to the `LIMITS` (discover=5/1m,authorize=1/1m,logins=60/1m,poll=30/1m,failures=60/1m,codes=6/10m), or off"),
		text(&s.honeyOnName, "honey-on-name", "CORTEX_HONEY_ON_NAME", "what happens to an agent that asks for a honey secret by its name, without a grant: `alarm` alone, or freeze"),
		text(&s.retention, "audit-retention", "CORTEX_AUDIT_RETENTION", "how long the audit trail is kept: a number of days such as 30d, or off (`AGE`, 60d)"),
		text(&s.reserve, "audit-reserve", "CORTEX_AUDIT_RESERVE", "how much of the disk is held back beside the vault file, for the audit trail and emergencies: a `SIZE` such as 64MiB, or off"),
		text(&s.trustedProxies, "trusted-proxies", "CORTEX_TRUSTED_PROXIES", "addresses and `NETWORKS` whose X-Forwarded-For is believed"),
		text(&s.dashboardOrigins, "dashboard-origins", "CORTEX_DASHBOARD_ORIGINS", "web `ORIGINS` whose pages may call the server"),
		&cli.BoolFlag{Name: "listen-sealed", Usage: "listen before the vault is unsealed, if no password was given (CORTEX_LISTEN_SEALED=1)", Destination: &s.listenSealed},
		&cli.BoolFlag{Name: "recovery", Usage: "unseal with recovery shares, from the terminal or lines of standard input (CORTEX_RECOVERY_MODE=1)", Destination: &s.recoveryMode},
		file(&s.recoveryDir, "recovery-shares", "CORTEX_RECOVERY_SHARES_DIR", "`DIRECTORY` with a file for each share"),
		text(&s.recoveryThreshold, "recovery-threshold", "CORTEX_RECOVERY_THRESHOLD", "how many shares it takes, if that is to be checked: a `NUMBER`"),
		&cli.BoolFlag{Name: "require-device-proof", Usage: "refuse log-ins without a proof of the agent's key (CORTEX_REQUIRE_DEVICE_PROOF=1)", Destination: &s.requireDeviceProof},
		&cli.BoolFlag{Name: "require-attest-proof", Usage: "refuse daemons without a proof of the agent's key (CORTEX_REQUIRE_ATTEST_PROOF=1)", Destination: &s.requireAttestProof},
		&cli.BoolFlag{Name: "two-person", Usage: "have a second super account confirm what could give the vault away (CORTEX_TWO_PERSON=1)", Destination: &s.twoPerson},
		text(&s.notifyNetworks, "notify-networks", "CORTEX_NOTIFY_NETWORKS", "private `NETWORKS` that host names of notification channels may lead to"),
		level, format,
		&cli.BoolFlag{Name: "disable-request-signing", Usage: "accept discovery and fetches without a daemon's signature, on this machine alone (CORTEX_DISABLE_REQUEST_SIGNING=1)", Destination: &s.disableRequestSigning},
	}
}
