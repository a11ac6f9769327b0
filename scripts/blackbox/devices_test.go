package blackbox

import (
	"net/http"
	"regexp"
	"testing"
)

func TestDeviceIsAuthorized(t *testing.T) {
	each(t, func(v *vault) {
		a := v.register(v.named("bot"))
		begun := a.send("POST", "/device/authorize", object{}).want(http.StatusOK).object()
		has(v.t, begun, object{"verification_uri": "/device", "expires_in": 600, "interval": 5})
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(begun["device_code"].(string)) || !regexp.MustCompile(`^[A-Z2-9]{4}-[A-Z2-9]{4}$`).MatchString(begun["user_code"].(string)) {
			v.t.Errorf("%v", begun)
		}
		a.poll(begun["device_code"]).wantError(http.StatusUnauthorized, "authorization_pending")
		approval := v.admin("POST", "/admin/web/device/approve", object{"user_code": begun["user_code"], "agent_id": a.id})
		has(v.t, approval.want(http.StatusOK).object(), object{"approved": true, "user_code": begun["user_code"], "agent_id": a.id})
		token := a.poll(begun["device_code"]).want(http.StatusOK).object()
		has(v.t, token, object{"token_type": "Bearer", "expires_in": 2592000})
		jwt := token["access_token"].(string)
		c := claims(v.t, jwt)
		has(v.t, c, object{"iss": "cortex-auth", "sub": a.id, "aud": "cortex-daemon", "scope": "daemon"})
		if c["exp"].(float64)-c["iat"].(float64) != 2592000 {
			v.t.Errorf("claims %v", c)
		}
		v.verify(jwt)
		a.poll(begun["device_code"]).wantError(http.StatusUnauthorized) // it was used
		has(v.t, v.admin("GET", "/admin/devices", nil).find("user_code", begun["user_code"]), object{"status": "approved", "agent_id": a.id})
	})
}

func TestDevicesAreAuthorizedOneAMinute(t *testing.T) {
	each(t, func(v *vault) {
		v.send("POST", "/device/authorize", object{}).want(http.StatusOK)
		v.send("POST", "/device/authorize", object{}).wantError(http.StatusTooManyRequests)
		v.source = anywhere()
		v.send("POST", "/device/authorize", object{}).want(http.StatusOK)
	})
}

// What an agent's daemon may do ends with the agent's devices.
func TestDeletedDeviceIsCutOff(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		if s.login == "" {
			s.logIn()
		}
		token := s.obtain(s.app, s.env())["project_token"]
		has(v.t, v.admin("DELETE", "/admin/devices/"+s.id, nil).want(http.StatusOK).object(), object{"deleted": true, "rows": 1})
		s.attest().wantError(http.StatusUnauthorized)
		s.fetch(s.app, token).wantError(http.StatusUnauthorized)
	})
}
