package vault_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// fetcher returns a vault with a project of ten secrets, and how to fetch them.
func fetcher(b *testing.B) (*vault.Vault, func() error) {
	b.Helper()
	db, err := store.Open(store.Options{Path: b.TempDir() + "/bench.db"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	v := vaulttest.On(b, db, vault.Config{RequireAttestation: true})
	ctx := context.Background()
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("KEY_%d", i))
		_, err := v.CreateSecret(ctx, vaulttest.Admin, vault.NewSecret{
			Path: fmt.Sprintf("key_%d", i), Type: vault.KeyValue, Value: opaque.New([]byte("a value of some forty characters, or so")),
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	h := enrol(b, v, "", "bot")
	token := h.approved("app", names...).Token
	id := proof.AuthTokenID(string(token.Reveal()))
	return v, func() error {
		a := proof.Attestation{SessionID: h.session, TS: time.Now().Unix(), JTI: uuid.NewString(), BodySHA256: proof.BodyHash(nil), AuthTokenID: id}
		a.Signature = ed25519.Sign(h.daemon, a.Message("GET", "/project/secrets/app"))
		_, err := v.FetchSecrets(ctx, vaulttest.Origin, vault.FetchRequest{Project: "app", Bearer: token, Attestation: &a})
		return err
	}
}

// One fetch of ten secrets, its signature made and verified, its record
// durable.
func BenchmarkFetch(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		_, fetch := fetcher(b)
		b.ReportAllocs()
		for b.Loop() {
			if err := fetch(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("64", func(b *testing.B) {
		_, fetch := fetcher(b)
		b.SetParallelism(32)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := fetch(); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// A rotation of the KEK, the compaction after it included.
func BenchmarkRotate(b *testing.B) {
	const n = 10_000
	v := vaulttest.New(b)
	var wg sync.WaitGroup
	for w := range 100 {
		wg.Go(func() {
			for i := range n / 100 {
				keep(b, v, "", fmt.Sprintf("s/%d/%d", w, i), "a value of some forty characters, or so")
			}
		})
	}
	wg.Wait()
	for b.Loop() {
		if _, err := v.RotateKEK(b.Context(), vaulttest.Admin, vaulttest.Password(), opaque.Bytes{}); err != nil {
			b.Fatal(err)
		}
		if err := v.FinishRotation(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
