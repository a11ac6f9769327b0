package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/cortex-auth/cortex/store"
)

// A cityRow is declared beside its bucket and the indexes it is found by.
type cityRow struct {
	ID      string `cbor:"1,keyasint"`
	Name    string `cbor:"2,keyasint"`
	Country string `cbor:"3,keyasint"`
}

func (r cityRow) Key() store.Key { return store.Key(r.ID) }

var (
	cities      = store.Clear[cityRow]("city")
	cityByName  = store.Unique(cities, "city_by_name", func(r cityRow) (store.Key, bool) { return store.Join(r.Country, r.Name), true })
	cityCountry = store.NewMulti(cities, "city_by_country", func(r cityRow) (store.Key, bool) { return store.Key(r.Country), true })
)

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(store.Options{Path: filepath.Join(dir, "cities.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	ctx := context.Background()
	err = db.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(
			cities.Insert(tx, cityRow{"1", "Ulm", "DE"}),
			cities.Insert(tx, cityRow{"2", "Bern", "CH"}),
			cities.Insert(tx, cityRow{"3", "Jena", "DE"}),
		)
	})
	if err != nil {
		log.Fatal(err)
	}
	err = db.View(ctx, func(tx *store.Tx) error {
		bern, err := cityByName.Get(tx, store.Join("CH", "Bern"))
		if err != nil {
			return err
		}
		fmt.Println(bern.Key(), bern.Name)
		for r, err := range cityCountry.All(tx, "DE") {
			if err != nil {
				return err
			}
			fmt.Println(r.Key(), r.Name)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 2 Bern
	// 1 Ulm
	// 3 Jena
}
