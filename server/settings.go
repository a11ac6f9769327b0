package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/keyring"
)

// settings are what flags, environment and configuration file say, as they say
// it.
type settings struct {
	configFile string
	// fixed names the variables that a flag or the environment set: what the
	// configuration file says of them does not count.
	fixed map[string]bool
	// given is what they were before the file was read.
	given *settings

	logLevel, logFormat   string
	listen, port          string
	database              string
	certFile, keyFile     string
	tls                   string
	insecureHTTP          bool
	passwordFile          string
	adminTokenFile        string
	metricsTokenFile      string
	resetAdminToken       bool
	newCertificate        bool
	kdfProfile            string
	rateLimits            string
	honeyOnName           string
	retention             string
	reserve               string
	trustedProxies        string
	dashboardOrigins      string
	notifyNetworks        string
	disableRequestSigning bool
	twoPerson             bool
	requireDeviceProof    bool
	requireAttestProof    bool
	recoveryMode          bool
	recoveryThreshold     string
	recoveryDir           string
	listenSealed          bool
}

// A plan is what settings come to.
type plan struct {
	addr   *net.TCPAddr
	path   string // of the database
	cert   *certificate
	params keyring.Params
	live   liveSettings
	// freezeOnName freezes who asks for a honey secret by its name.
	freezeOnName bool
	reserve      int64
	networks     []netip.Prefix // that names of notification channels may lead to
	attest       bool           // require attestation
	twoPerson    bool
	// requireDevice and requireAttest ask for proofs of the agent's key.
	requireDevice, requireAttest bool
	password                     secretInput
	adminToken                   secretInput
	metrics                      secretInput
	resetToken                   bool
	newCertificate               bool
	recovery                     recoveryPlan
	listenSealed                 bool
	// insecure names the protections that are switched off.
	insecure []string
}

// attestLimit is how often an agent may attest: as often as it likes where
// nothing is limited.
func (p plan) attestLimit() int {
	if p.live.Unlimited {
		return -1
	}
	return 0
}

// errNoTLS names the ways out.
var errNoTLS = errors.New("refusing to serve without TLS: set TLS_CERT_FILE and TLS_KEY_FILE, or INSECURE_HTTP=1 for plain HTTP on this machine alone, or --tls=auto (CORTEX_TLS=auto) for a certificate of its own that clients pin")

// plan checks settings, and reports everything that is wrong at once. It opens
// nothing but the certificate.
func (s settings) plan(ctx context.Context) (plan, error) {
	p := plan{
		attest:    !s.disableRequestSigning,
		twoPerson: s.twoPerson,

		requireDevice: s.requireDeviceProof, requireAttest: s.requireAttestProof,
		password:   secretInput{"CORTEX_KEK_PASSWORD", s.passwordFile, "kek-password"},
		adminToken: secretInput{"ADMIN_TOKEN", s.adminTokenFile, "admin-token"},
		metrics:    secretInput{"CORTEX_METRICS_TOKEN", s.metricsTokenFile, "metrics-token"},
		resetToken: s.resetAdminToken, newCertificate: s.newCertificate,
	}
	p.listenSealed = s.listenSealed
	var errs [12]error
	p.path, errs[0] = store.ParseURL(s.database)
	p.cert, errs[1] = s.certificate(ctx)
	p.params, errs[2] = keyring.Profile(s.kdfProfile)
	p.live, errs[3] = s.live()
	errs[4] = checkLogFormat(s.logFormat)
	p.addr, errs[5] = s.address(p.cert != nil)
	if errs[5] == nil {
		p.insecure, errs[6] = s.insecure(p)
	}
	p.freezeOnName, errs[7] = s.freezeOnName()
	p.networks, errs[8] = auth.ParseNetworks("network of notifications", s.notifyNetworks)
	p.recovery, errs[9] = s.recovery()
	if s.listenSealed && s.tls == tlsAuto {
		errs[10] = errors.New("CORTEX_LISTEN_SEALED needs a certificate that is not sealed in the vault: set TLS_CERT_FILE and TLS_KEY_FILE in the place of CORTEX_TLS=auto")
	}
	p.reserve, errs[11] = s.auditReserve()
	return p, errors.Join(errs[:]...)
}

// freezeOnName reads what happens to whoever asks for a honey secret by name.
func (s settings) freezeOnName() (bool, error) {
	switch s.honeyOnName {
	case "", "alarm":
		return false, nil
	case "freeze":
		return true, nil
	}
	return false, fmt.Errorf("CORTEX_HONEY_ON_NAME %q: want alarm or freeze", s.honeyOnName)
}

func (s settings) certificate(ctx context.Context) (*certificate, error) {
	switch {
	case s.newCertificate && s.tls != tlsAuto:
		return nil, errors.New("--new-certificate is about the server's own: it needs CORTEX_TLS=auto")
	case s.tls != "" && s.tls != tlsAuto:
		return nil, fmt.Errorf("CORTEX_TLS %q: want auto, or nothing", s.tls)
	case s.tls == tlsAuto && (s.certFile != "" || s.keyFile != "" || s.insecureHTTP):
		return nil, errors.New("CORTEX_TLS=auto is in the place of TLS_CERT_FILE, TLS_KEY_FILE and INSECURE_HTTP: leave those out")
	case s.tls == tlsAuto:
		return &certificate{own: true}, nil
	case s.certFile != "" && s.keyFile != "":
		return loadCertificate(ctx, s.certFile, s.keyFile)
	case s.certFile != "" || s.keyFile != "":
		return nil, errors.New("TLS_CERT_FILE and TLS_KEY_FILE belong together: set both")
	case !s.insecureHTTP:
		return nil, errNoTLS
	}
	return nil, nil
}

// address returns where to listen: everywhere with TLS, on this machine
// without, unless an address is named. Names are resolved once, so that what
// is checked is what is opened.
func (s settings) address(secure bool) (*net.TCPAddr, error) {
	if _, err := strconv.ParseUint(s.port, 10, 16); err != nil {
		return nil, fmt.Errorf("port %q: want a number from 0 to 65535", s.port)
	}
	host, port := s.listen, s.port
	if h, p, err := net.SplitHostPort(s.listen); err == nil {
		host, port = h, p
	} else if addr, err := netip.ParseAddr(strings.Trim(s.listen, "[]")); err == nil {
		host = addr.String()
	}
	if host == "" && !secure {
		host = "127.0.0.1"
	}
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", s.listen, err)
	}
	return addr, nil
}

// insecure lists the protections that are switched off. Those that make a
// server useless as a vault are for one machine only.
func (s settings) insecure(p plan) (off []string, err error) {
	if p.cert == nil {
		off = append(off, "INSECURE_HTTP")
	}
	var local []string
	if s.disableRequestSigning {
		local = append(local, "CORTEX_DISABLE_REQUEST_SIGNING")
	}
	if p.live.Unlimited {
		local = append(local, "CORTEX_RATE_LIMITS=off")
	}
	if len(local) > 0 && !p.addr.IP.IsLoopback() {
		return nil, fmt.Errorf("refusing %s on an address that others can reach: listen on a loopback address (CORTEX_LISTEN=127.0.0.1)", strings.Join(local, " and "))
	}
	return append(off, local...), nil
}

// items splits a list with commas.
func items(s string) []string {
	var list []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// switchedOn reports whether a variable has one of the few values that mean
// yes.
func switchedOn(variable string) bool {
	return isOn(os.Getenv(variable))
}

func isOn(value string) bool {
	switch value {
	case "1", "true", "TRUE", "yes":
		return true
	}
	return false
}
