package vault

import (
	"fmt"
	"strings"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// person returns who asks, where two persons are needed. An account whose
// password is known to whoever chose it for its holder is nobody's yet, or one
// person could be two: that is [ErrForeignPassword].
func (o *op) person() (string, error) {
	if o.by.ID == "" {
		return tokenHolder, nil
	}
	row, err := users.Get(o.Tx, store.Key(o.by.ID))
	switch {
	case isNotFound(err) || err == nil && !row.actsAsSuper():
		return "", ErrDenied // since the request was let in
	case err == nil && !row.own():
		return "", ErrForeignPassword
	}
	return row.ID, err
}

func (r userRow) actsAsSuper() bool { return r.Role == access.Super && !r.Disabled }

// own reports whether its holder chose the password, as far as it is known.
func (r userRow) own() bool { return r.PasswordBy == "" || r.PasswordBy == r.Name }

// agreed reports whether an account may become after what it was before; the
// zero userRow is none. What is or becomes super needs a second person, where
// such are needed: see [op.confirmed]. Only the first one that can log in does
// not, if the administrator's token makes it, because nobody could confirm.
func (o *op) agreed(before, after userRow) (bool, error) {
	if before.Role != access.Super && after.Role != access.Super {
		return true, nil
	}
	if o.by.ID == "" && before.ID == "" {
		some, err := atMost(1, users.All(o.Tx, ""), userRow.actsAsSuper)
		if err != nil || len(some) == 0 {
			return err == nil, err
		}
	}
	return o.confirmed(o.record.action, difference(before, after))
}

// difference says what becomes of an account, to whoever is to agree. Of one
// that there is it says which, and whose the password is: a consent is for no
// other account of that name, nor for one that was taken over meanwhile.
func difference(before, after userRow) string {
	if before.ID == "" {
		return fmt.Sprintf("%s: %s", after.Name, after.Role)
	}
	which := fmt.Sprintf("%s (%s, %s", before.Name, before.Role, before.ID)
	if before.PasswordBy != "" {
		which += fmt.Sprintf(", password of %s by %s", nanos(before.PasswordAt).Format("2006-01-02 15:04:05"), before.PasswordBy)
	}
	return strings.Join(append([]string{which + ")"}, changes(before, after)...), ", ")
}

// changes names what is different; nothing for an account that goes.
func changes(before, after userRow) (all []string) {
	if after.ID == "" {
		return nil
	}
	if before.Role != after.Role {
		all = append(all, "becomes "+string(after.Role))
	}
	if was, is := scopeOf(before.Namespaces), scopeOf(after.Namespaces); was != is {
		all = append(all, "in "+is+" instead of "+was)
	}
	switch {
	case after.Disabled && !before.Disabled:
		all = append(all, "disabled")
	case before.Disabled && !after.Disabled:
		all = append(all, "enabled")
	}
	if string(before.Tag) != string(after.Tag) {
		all = append(all, "another password")
	}
	return all
}

func scopeOf(namespaces []string) string {
	if len(namespaces) == 0 {
		return "all namespaces"
	}
	return strings.Join(namespaces, " ")
}
