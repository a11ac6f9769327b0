package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

func TestChannelLivesAndEnds(t *testing.T) {
	each(t, func(v *vault) {
		list, name, url := "/admin/notification-channels", v.named("ops"), "https://hooks.example.com/"+v.named("hush")
		made := v.admin("POST", list, object{"channel_type": "slack", "name": name, "config": object{"webhook_url": url}, "enabled": false}).want(http.StatusCreated).object()
		has(v.t, made, object{"name": name, "channel_type": "slack"})
		listed := v.admin("GET", list, nil)
		has(v.t, listed.find("id", made["id"]), object{"name": name, "enabled": false, "description": nil})
		if strings.Contains(string(listed.body), v.named("hush")) {
			v.t.Errorf("the list has the address: %s", listed.body)
		}
		v.admin("POST", list, object{"channel_type": "slack", "name": name, "config": object{"webhook_url": url}}).wantError(http.StatusConflict)
		one := list + "/" + made["id"].(string)
		has(v.t, v.admin("PUT", one, object{"description": "d"}).want(http.StatusOK).object(), object{"updated": true, "id": made["id"]})
		has(v.t, v.admin("GET", list, nil).find("id", made["id"]), object{"enabled": false, "description": "d"})
		has(v.t, v.admin("DELETE", one, nil).want(http.StatusOK).object(), object{"deleted": true})
		v.admin("PUT", one, object{}).wantError(http.StatusNotFound)
	})
}

func TestUnknownChannelTypeIsRefused(t *testing.T) {
	each(t, func(v *vault) {
		v.admin("POST", "/admin/notification-channels", object{"channel_type": "pager", "name": v.named("x"), "config": object{}}).wantError(http.StatusBadRequest)
	})
}
