package redteam

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"
)

// edit writes into the vault's file, which nobody serves.
func (s *site) edit(t *testing.T, fn func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(s.file(), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

// tagSize is how long the tag before each row is.
const tagSize = 32

// texts returns what is in the rows of some buckets, bytes in hex, and their
// keys and tags.
func (s *site) texts(t *testing.T, buckets ...string) (list []string) {
	t.Helper()
	s.edit(t, func(tx *bolt.Tx) error {
		for _, name := range buckets {
			err := tx.Bucket([]byte(name)).ForEach(func(key, value []byte) error {
				list = append(list, hex.EncodeToString(value[:tagSize]), strings.ReplaceAll(string(key), "\x00", "."))
				var row map[int]any
				err := cbor.Unmarshal(value[tagSize:], &row)
				for _, member := range row {
					switch v := member.(type) {
					case string:
						if len(v) >= 16 {
							list = append(list, v)
						}
					case []byte:
						list = append(list, hex.EncodeToString(v))
					}
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list
}

// put puts back another file of the vault.
func (s *site) put(t *testing.T, file []byte) {
	t.Helper()
	if err := os.WriteFile(s.file(), file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// rows calls fn with the key and the members of each row of a bucket, and writes
// those back that it changed, with the tags that they had.
func rows(tx *bolt.Tx, bucket string, tag int, fn func(key []byte, row map[int]any) (changed bool)) error {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return err
	}
	b := tx.Bucket([]byte(bucket))
	changed := map[string][]byte{}
	err = b.ForEach(func(key, value []byte) error {
		var row map[int]any
		if err := cbor.Unmarshal(value[tag:], &row); err != nil {
			return err
		}
		if !fn(key, row) {
			return nil
		}
		text, err := mode.Marshal(row)
		changed[string(key)] = slices.Concat(value[:tag], text)
		return err
	})
	if err == nil && len(changed) == 0 {
		err = fmt.Errorf("nothing to change in %s", bucket)
	}
	for key, value := range changed {
		err = errors.Join(err, b.Put([]byte(key), value))
	}
	return err
}
