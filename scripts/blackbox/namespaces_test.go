package blackbox

import (
	"net/http"
	"testing"
)

func TestNamespaceLivesAndEnds(t *testing.T) {
	each(t, func(v *vault) {
		list, name := "/admin/namespaces", v.named("staging")
		if v.admin("GET", list, nil).find("name", "default") == nil {
			v.t.Error("no default")
		}
		has(v.t, v.admin("POST", list, object{"name": " " + name + " ", "description": "d"}).want(http.StatusCreated).object(), object{"name": name, "description": "d"})
		v.admin("POST", list, object{"name": name}).wantError(http.StatusConflict)
		v.admin("POST", list, object{"name": " "}).wantError(http.StatusBadRequest)
		v.admin("DELETE", list+"/default", nil).wantError(http.StatusBadRequest)
		has(v.t, v.admin("DELETE", list+"/"+name, nil).want(http.StatusOK).object(), object{"deleted": true, "name": name})
		v.admin("DELETE", list+"/"+name, nil).wantError(http.StatusNotFound)
	})
}

func TestNamespaceInUseStays(t *testing.T) {
	each(t, func(v *vault) {
		one, two := v.named("of-a-secret"), v.named("of-an-agent")
		v.keepAs(object{"key_path": v.named("k"), "secret_type": "KEY_VALUE", "value": "x", "namespace": one})
		v.registerIn(v.named("bot"), two)
		for _, name := range []string{one, two} {
			v.admin("DELETE", "/admin/namespaces/"+name, nil).wantError(http.StatusConflict)
		}
	})
}

func TestSecretMakesItsNamespace(t *testing.T) {
	each(t, func(v *vault) {
		name := v.named("new")
		v.keepAs(object{"key_path": v.named("k"), "secret_type": "KEY_VALUE", "value": "x", "namespace": name})
		if v.admin("GET", "/admin/namespaces", nil).find("name", name) == nil {
			v.t.Error("it is not listed")
		}
	})
}
