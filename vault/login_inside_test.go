package vault

import (
	"errors"
	"testing"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A password that was right when it was looked at, and is another by now, logs
// nobody in, and is in no way to replace the new one.
func TestResetWhileAPasswordIsTried(t *testing.T) {
	v, _, _ := newTestVault(t)
	ctx, old := t.Context(), []byte("the first password")
	u, err := v.CreateUser(ctx, testAdmin, NewUser{Name: "alice", Role: access.Auditor, Password: opaque.New(old)})
	if err != nil {
		t.Fatal(err)
	}
	verified, err := v.rightPassword(ctx, "alice", opaque.New([]byte("the first password")), access.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.UpdateUser(ctx, testAdmin, u.ID, UserChange{Password: new(opaque.New([]byte("the second password")))}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.logIn(ctx, access.Origin{}, verified); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("the old password logs in: %v", err)
	}
	salt, tag, err := v.newPassword(ctx, u.ID, opaque.New([]byte("the thief's password")))
	if err != nil {
		t.Fatal(err)
	}
	by := verified.caller("password", "", access.Origin{}) // no log-in, which would have ended
	if err := v.replacePassword(ctx, by, verified, salt, tag); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("the old password is replaced: %v", err)
	}
	if _, err := v.Login(ctx, access.Origin{}, "alice", opaque.New([]byte("the second password"))); err != nil {
		t.Errorf("the new password: %v", err)
	}
}
