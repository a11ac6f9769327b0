package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// maxLoginBody is the longest body of a log-in, in bytes.
const maxLoginBody = 8 << 10

func (s *Server) login(ctx context.Context, c call[api.LoginRequest]) (disclosure, error) {
	password := opaque.New(c.In.Password.Reveal())
	defer password.Wipe()
	r, err := s.guard.Login(ctx, c.client, c.In.Name, password)
	token := api.NewValue(r.Token.Reveal())
	return disclose(api.LoginResponse{
		Token: token, ExpiresAt: api.NewTime(r.Expires), Name: r.User.Name, Role: string(r.User.Role), Namespaces: listed(r.User.Namespaces),
	}, token), err
}

func (s *Server) logout(ctx context.Context, q *request) (api.LoggedOut, error) {
	return api.LoggedOut{LoggedOut: true}, s.vault.Logout(ctx, q.By)
}

func (s *Server) whoAmI(ctx context.Context, q *request) (api.WhoAmI, error) {
	u, err := s.vault.WhoAmI(ctx, q.By)
	return api.WhoAmI{Name: u.Name, Role: string(u.Role), Namespaces: listed(u.Namespaces)}, err
}

func (s *Server) changeOwnPassword(ctx context.Context, c call[api.ChangePassword]) (api.ChangedPassword, error) {
	current, next := opaque.New(c.In.CurrentPassword.Reveal()), opaque.New(c.In.NewPassword.Reveal())
	defer current.Wipe()
	defer next.Wipe()
	done, err := s.guard.Turn(ctx, c.client)
	if err != nil {
		return api.ChangedPassword{}, err
	}
	defer done()
	err = s.vault.ChangeOwnPassword(ctx, c.By, current, next)
	return api.ChangedPassword{Changed: true}, s.guard.Failed(c.client, err)
}

func (s *Server) listUsers(ctx context.Context, q *request) ([]api.User, error) {
	rows, err := s.vault.Users(ctx, q.By)
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, 0, userAt, wireUser)
}

func (s *Server) createUser(ctx context.Context, c call[api.CreateUser]) (api.User, error) {
	password := opaque.New(c.In.Password.Reveal())
	defer password.Wipe()
	u, err := s.vault.CreateUser(ctx, c.By, vault.NewUser{
		Name: c.In.Name, Role: access.Role(c.In.Role), Namespaces: c.In.Namespaces, Password: password,
	})
	return wireUser(u), err
}

func (s *Server) updateUser(ctx context.Context, c call[api.UpdateUser]) (api.User, error) {
	change := vault.UserChange{Namespaces: c.In.Namespaces, Disabled: c.In.Disabled}
	if c.In.Role != nil {
		change.Role = new(access.Role(*c.In.Role))
	}
	if !c.In.Password.IsZero() {
		password := opaque.New(c.In.Password.Reveal())
		defer password.Wipe()
		change.Password = &password
	}
	u, err := s.vault.UpdateUser(ctx, c.By, c.PathValue("id"), change)
	return wireUser(u), err
}

func (s *Server) deleteUser(ctx context.Context, q *request) (api.Deleted, error) {
	return api.Deleted{Deleted: true}, s.vault.DeleteUser(ctx, q.By, q.PathValue("id"))
}

func wireUser(u vault.User) api.User {
	return api.User{
		ID: u.ID, Name: u.Name, Role: string(u.Role), Namespaces: listed(u.Namespaces), Disabled: u.Disabled, CreatedAt: api.NewTime(u.Created),
	}
}
