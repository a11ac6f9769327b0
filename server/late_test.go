package server_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// late sends a request but for most of its body. Once the server has let it in,
// late returns what sends the rest.
func late(t *testing.T, s *servertest.Server, token, route, body string) (finish func() servertest.Answer) {
	t.Helper()
	conn := dial(t, s)
	write(t, conn, fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nX-Admin-Token: %s\r\nContent-Type: application/json\r\n"+
		"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", route, token, len(body)))
	from := bufio.NewReader(conn)
	if a := readAnswer(t, from); a.Status != http.StatusContinue {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	write(t, conn, body[:10])
	return func() servertest.Answer {
		t.Helper()
		write(t, conn, body[10:])
		return readAnswer(t, from)
	}
}

func userID(t *testing.T, s *servertest.Server, name string) string {
	t.Helper()
	var list []api.User
	s.Admin(t, "GET", "/admin/users", nil, &list)
	for _, u := range list {
		if u.Name == name {
			return u.ID
		}
	}
	t.Fatalf("no account %s", name)
	return ""
}

const nextPassword = "another long password"

// changePassword changes the password that an account was made with.
func changePassword(t *testing.T, s *servertest.Server, token string) {
	t.Helper()
	body := map[string]string{"current_password": userPassword, "new_password": nextPassword}
	wantBody(t, as(t, s, token, "POST", "/admin/password", body), http.StatusOK, `{"changed":true}`)
}

// anotherLogIn returns the token of a further log-in of an account.
func anotherLogIn(t *testing.T, s *servertest.Server, name string) string {
	t.Helper()
	var out struct{ Token string }
	tryLogin(t, s, name, userPassword).JSON(t, &out)
	return out.Token
}

// Whatever ends a log-in ends what its account had begun to ask for.
func TestLateBodies(t *testing.T) {
	t.Parallel()
	update := func(change string) func(*testing.T, *servertest.Server, string) {
		return func(t *testing.T, s *servertest.Server, _ string) {
			s.Admin(t, "PUT", "/admin/users/"+userID(t, s, "alice"), change, nil)
		}
	}
	for name, end := range map[string]func(t *testing.T, s *servertest.Server, token string){
		"disabled": update(`{"disabled":true}`),
		"demoted":  update(`{"role":"auditor"}`),
		"reset":    update(`{"password":"` + nextPassword + `"}`),
		"deleted": func(t *testing.T, s *servertest.Server, _ string) {
			s.Admin(t, "DELETE", "/admin/users/"+userID(t, s, "alice"), nil, nil)
		},
		"logged out": func(t *testing.T, s *servertest.Server, token string) {
			wantBody(t, as(t, s, token, "POST", "/admin/logout", nil), http.StatusOK, `{"logged_out":true}`)
		},
		"password changed": func(t *testing.T, s *servertest.Server, _ string) {
			changePassword(t, s, anotherLogIn(t, s, "alice"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.With(t, servertest.Config{Unlimited: true})
			token := logIn(t, s, "alice", "super")
			var finish []func() servertest.Answer
			for route, body := range map[string]string{
				"POST /admin/secrets":    `{"key_path":"late","secret_type":"KEY_VALUE","value":"v"}`,
				"POST /admin/users":      `{"name":"eve","role":"super","password":"` + userPassword + `"}`,
				"POST /admin/rotate-key": `{"current_password":"` + servertest.Password + `","new_kek_password":"` + nextPassword + `"}`,
				"POST /admin/password":   `{"current_password":"` + userPassword + `","new_password":"` + userPassword + `"}`,
			} {
				finish = append(finish, late(t, s, token, route, body))
			}
			end(t, s, token)
			for _, f := range finish {
				wantError(t, f(), http.StatusUnauthorized, api.Unauthorized)
			}
			wantBody(t, s.TryAdmin(t, "GET", "/admin/secrets", nil), http.StatusOK, "[]")
			if users := s.TryAdmin(t, "GET", "/admin/users", nil); strings.Contains(string(users.Body), "eve") {
				t.Errorf("%s", users.Body)
			}
		})
	}
}

// A log-in that changed its own password goes on, and so does what it had begun.
func TestLateBodyOfALogInThatLasts(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	token := logIn(t, s, "alice", "super")
	finish := late(t, s, token, "POST /admin/secrets", `{"key_path":"late","secret_type":"KEY_VALUE","value":"v"}`)
	changePassword(t, s, token)
	if a := finish(); a.Status != http.StatusCreated {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Whoever made an account and knew its password cannot keep two requests of it
// until the account has become its holder's, and so be two persons.
func TestLateBodiesAreNoSecondPerson(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, TwoPerson: true})
	maker := logIn(t, s, "alice", "super")
	body := `{"threshold":2,"shares":3,"current_password":"` + servertest.Password + `"}`
	ask := late(t, s, maker, "POST /admin/shamir/generate", body)
	take := late(t, s, maker, "POST /admin/shamir/generate", body)
	changePassword(t, s, anotherLogIn(t, s, "alice"))

	wantError(t, ask(), http.StatusUnauthorized, api.Unauthorized)
	wantBody(t, s.TryAdmin(t, "GET", "/admin/confirmations", nil), http.StatusOK, "[]")
	wantError(t, take(), http.StatusUnauthorized, api.Unauthorized)
}
