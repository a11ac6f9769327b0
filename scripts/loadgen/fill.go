package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// filled returns the directory of a vault with n secrets, stopped in order. It
// is made once, through package vault: by the same operations as over the API,
// with the same records, only sooner.
func (b *bench) filled(n int) (dir string, err error) {
	dir = filepath.Join(b.dir, fmt.Sprintf("filled-%d", n))
	if err := os.Mkdir(dir, 0o700); errors.Is(err, os.ErrExist) {
		return dir, nil
	} else if err != nil {
		return "", err
	}
	db, err := store.Open(store.Options{Path: vaultFile(dir)})
	if err != nil {
		return "", err
	}
	v := vault.New(vault.Config{DB: db, Params: keyring.Low})
	err = fill(v, n)
	return dir, errors.Join(err, v.Close(), db.Close())
}

// fill makes n secrets in a new vault.
func fill(v *vault.Vault, n int) error {
	ctx := context.Background()
	if err := v.Init(ctx, opaque.New([]byte(password))); err != nil {
		return err
	}
	if _, err := v.UseAdminToken(ctx, opaque.New([]byte(adminToken))); err != nil {
		return err
	}
	by, err := v.AuthenticateAdmin(ctx, opaque.New([]byte(adminToken)), access.Origin{Source: "127.0.0.1"})
	if err != nil {
		return err
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, 256)
	for w := range errs {
		wg.Go(func() {
			for i := next.Add(1); int(i) <= n && errs[w] == nil; i = next.Add(1) {
				_, errs[w] = v.CreateSecret(ctx, by, vault.NewSecret{
					Path: fmt.Sprintf("filled/%07d", i), Type: vault.KeyValue, Value: opaque.New([]byte(strings.Repeat("v", 64))),
				})
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
