package blackbox

import (
	"net/http"
	"testing"
)

// keep keeps a value under a path of the default namespace and returns the
// secret's id.
func (v *vault) keep(path, value string) string {
	v.t.Helper()
	return v.keepAs(object{"key_path": path, "secret_type": "KEY_VALUE", "value": value})
}

func (v *vault) keepAs(secret object) string {
	v.t.Helper()
	return v.admin("POST", "/admin/secrets", secret).want(http.StatusCreated).object()["id"].(string)
}

func TestSecretIsCreatedListedAndRead(t *testing.T) {
	each(t, func(v *vault) {
		path := v.named("openai_api_key")
		made := v.admin("POST", "/admin/secrets", object{"key_path": path, "secret_type": "KEY_VALUE", "value": "sk-1", "description": "the key"}).want(http.StatusCreated).object()
		has(v.t, made, object{"key_path": path, "namespace": "default"})
		listed := v.admin("GET", "/admin/secrets", nil).find("id", made["id"])
		has(v.t, listed, object{"key_path": path, "secret_type": "KEY_VALUE", "description": "the key", "namespace": "default", "is_honey_token": false})
		if listed["value"] != nil {
			v.t.Errorf("the list has values: %v", listed)
		}
		read := v.admin("GET", "/admin/secrets/"+made["id"].(string), nil).want(http.StatusOK).object()
		has(v.t, read, object{"key_path": path, "value": "sk-1", "created_at": listed["created_at"], "updated_at": listed["created_at"]})
		v.admin("POST", "/admin/secrets", object{"key_path": path, "secret_type": "KEY_VALUE", "value": "sk-2"}).wantError(http.StatusConflict)
		v.admin("POST", "/admin/secrets", object{"key_path": path + "2", "secret_type": "FILE", "value": "x"}).wantError(http.StatusBadRequest)
	})
}

func TestSecretIsUpdatedAndDeleted(t *testing.T) {
	each(t, func(v *vault) {
		id := v.keepAs(object{"key_path": v.named("k"), "secret_type": "KEY_VALUE", "value": "old", "description": "text"})
		path := "/admin/secrets/" + id
		has(v.t, v.admin("PUT", path, object{"value": "new", "description": nil}).want(http.StatusOK).object(), object{"updated": true, "id": id})
		has(v.t, v.admin("GET", path, nil).want(http.StatusOK).object(), object{"value": "new", "description": "text"})
		has(v.t, v.admin("DELETE", path, nil).want(http.StatusOK).object(), object{"deleted": true})
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			v.admin(method, path, object{}).wantError(http.StatusNotFound)
		}
	})
}

func TestHoneySecretDoesNotTakeARealPath(t *testing.T) {
	each(t, func(v *vault) {
		path := v.named("root_password")
		v.keep(path, "real")
		refused := v.admin("POST", "/admin/secrets", object{"key_path": path, "secret_type": "KEY_VALUE", "value": "bait", "is_honey_token": true})
		mentions(v.t, refused.wantError(http.StatusConflict), "exists", "collision")
	})
}
