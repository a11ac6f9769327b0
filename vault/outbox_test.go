package vault_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// anybody leaves no channel out.
func anybody(string) bool { return false }

// due returns what is to be delivered now.
func due(t *testing.T, v *vault.Vault) []vault.Delivery {
	t.Helper()
	all, _, err := v.Due(t.Context(), anybody)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// drain delivers everything, and returns it in order.
func drain(t *testing.T, v *vault.Vault) (all []vault.Delivery) {
	t.Helper()
	for {
		next := due(t, v)
		if len(next) == 0 {
			return all
		}
		for _, d := range next {
			if err := v.Delivered(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, next...)
	}
}

// spring asks for a honey secret by its name, which is an alarm each time.
func spring(t *testing.T, h *host, times int) {
	t.Helper()
	for i := range times {
		if _, err := h.rediscover("app"+strconv.Itoa(i%7), "ROOT_PASSWORD"); err != nil {
			t.Fatal(err)
		}
	}
}

func honey(t *testing.T, v *vault.Vault) *host {
	t.Helper()
	s := keep(t, v, "", "root_password", "trap")
	if _, err := v.UpdateSecret(t.Context(), vaulttest.Admin, s.ID, vault.SecretChange{Honey: new(true)}); err != nil {
		t.Fatal(err)
	}
	return enrol(t, v, "", "bot")
}

// A message is in the outbox when the operation returns, and whoever delivers
// is woken, not before there is something.
func TestMessageIsQueuedWithItsRecord(t *testing.T) {
	v := vaulttest.New(t)
	tellTo(t, v, "ops", vault.ChannelFilter{})
	h := honey(t, v)
	select {
	case <-v.OutboxReady():
		if len(due(t, v)) != 0 {
			t.Error("something is due already")
		}
	default:
	}
	spring(t, h, 1)
	select {
	case <-v.OutboxReady():
	default:
		t.Error("nobody is woken")
	}
	d := due(t, v)
	if len(d) != 1 || d[0].Message.Kind != "honey_token_access" || d[0].Message.Severity != vault.Critical ||
		d[0].Message.Agent != "bot" || d[0].Message.Project != "app0" || d[0].Message.Resource != "root_password" ||
		d[0].Message.Namespace != "default" || d[0].Message.Source != vaulttest.Origin.Source || d[0].Message.Entry == 0 {
		t.Fatalf("%+v", d)
	}
	if string(d[0].Config.Reveal()) != `{"webhook_url":"canary"}` {
		t.Errorf("config %s", d[0].Config.Reveal())
	}
	if skipped, next, err := v.Due(t.Context(), func(string) bool { return true }); err != nil || len(skipped) != 0 || !next.IsZero() {
		t.Errorf("%v %v %v", skipped, next, err)
	}
	intact(t, v)
}

// An operation that is rolled back tells nobody.
func TestNothingIsToldOfWhatDidNotHappen(t *testing.T) {
	v := vaulttest.New(t)
	tellTo(t, v, "ops", vault.ChannelFilter{})
	h := enrol(t, v, "", "bot")
	keep(t, v, "", "a", "x")
	if _, err := h.discover("app", "A"); err == nil {
		t.Fatal("approved")
	}
	if d := drain(t, v); len(d) != 1 || d[0].Message.Ref == "" || d[0].Message.Names[0] != "A" {
		t.Fatalf("%+v", d)
	}
	if _, err := h.discover("app", "A"); err == nil {
		t.Fatal("approved")
	}
	if d := drain(t, v); len(d) != 0 {
		t.Errorf("told twice: %+v", d)
	}
}

// An agent sets off as many alarms as it likes, and people get twenty messages
// and one that counts the others.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		c := tellTo(t, v, "ops", vault.ChannelFilter{})
		h := honey(t, v)
		spring(t, h, 100)
		if list, err := v.Channels(t.Context(), vaulttest.Admin); err != nil || list[0].Queued != 20 {
			t.Errorf("%+v %v", list, err)
		}
		if got := drain(t, v); len(got) != 20 || got[0].Channel.ID != c.ID {
			t.Fatalf("%d messages", len(got))
		}
		go v.Run(t.Context())
		time.Sleep(12 * time.Minute)
		got := drain(t, v)
		if len(got) != 1 || got[0].Message.More != 80 || got[0].Message.Agent != "bot" {
			t.Errorf("%+v", got)
		}
		time.Sleep(12 * time.Minute)
		if got := drain(t, v); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		// A new window begins with what comes next.
		h2 := enrol(t, v, "", "bot2")
		spring(t, h2, 1)
		if got := drain(t, v); len(got) != 1 || got[0].Message.More != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A queue that nobody empties stops growing, keeps room for what is critical,
// and says later how much it missed.
func TestQueueIsBounded(t *testing.T) {
	v := vaulttest.New(t)
	tellTo(t, v, "ops", vault.ChannelFilter{})
	keep(t, v, "", "a", "x")
	for i := range 41 { // more than 800 requests, 20 told of each agent
		h := enrol(t, v, "", "bot"+strconv.Itoa(i))
		for n := range 20 {
			if _, err := h.discover("app"+strconv.Itoa(i)+"-"+strconv.Itoa(n), "A"); err == nil {
				t.Fatal("approved")
			}
		}
	}
	state := func() vault.Channel {
		list, err := v.Channels(t.Context(), vaulttest.Admin)
		if err != nil {
			t.Fatal(err)
		}
		return list[0]
	}
	if c := state(); c.Queued != 800 {
		t.Fatalf("%d wait", c.Queued)
	}
	spring(t, honey(t, v), 1)
	if c := state(); c.Queued != 801 {
		t.Errorf("an alarm found no room: %d", c.Queued)
	}
	got := drain(t, v)
	var dropped []int
	for _, d := range got {
		if d.Message.Kind == vault.KindDropped {
			dropped = append(dropped, d.Message.More)
		}
	}
	if len(got) != 802 || len(dropped) != 1 || dropped[0] != 20 || state().Queued != 0 {
		t.Errorf("%d messages, dropped %v, %d wait", len(got), dropped, state().Queued)
	}
}

// What was queued before the end is there after it, and is the same message.
func TestOutboxOutlivesTheProcess(t *testing.T) {
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{RequireAttestation: true})
	tellTo(t, v, "ops", vault.ChannelFilter{})
	spring(t, honey(t, v), 2)
	before := due(t, v)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := v.Due(t.Context(), anybody)
	want(t, err, vault.ErrSealed)
	want(t, v.Delivered(t.Context(), before[0]), vault.ErrSealed)
	v = vaulttest.On(t, db, vault.Config{RequireAttestation: true})
	select {
	case <-v.OutboxReady():
	default:
		t.Error("nobody is woken by the unsealing")
	}
	after := drain(t, v)
	if len(after) != 2 || after[0].Message.ID != before[0].Message.ID || after[1].Message.ID == after[0].Message.ID {
		t.Errorf("%+v", after)
	}
}

func TestDisabledChannelKeepsWhatWaits(t *testing.T) {
	v := vaulttest.New(t)
	c := tellTo(t, v, "ops", vault.ChannelFilter{})
	h := honey(t, v)
	spring(t, h, 1)
	set := func(on bool) {
		t.Helper()
		if err := v.UpdateChannel(t.Context(), vaulttest.Admin, c.ID, vault.ChannelChange{Enabled: &on}); err != nil {
			t.Fatal(err)
		}
	}
	set(false)
	spring(t, h, 1)
	if d := due(t, v); len(d) != 0 {
		t.Errorf("%+v", d)
	}
	set(true)
	if d := drain(t, v); len(d) != 1 {
		t.Errorf("%+v", d)
	}
}

// A failed message comes again after its pause, before the one behind it; a
// test goes before both.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		c := tellTo(t, v, "ops", vault.ChannelFilter{})
		spring(t, honey(t, v), 2)
		first := due(t, v)[0]
		if err := v.Undelivered(t.Context(), first, "it took too long", time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		d, next, err := v.Due(t.Context(), anybody)
		if err != nil || len(d) != 0 || time.Until(next) != time.Minute {
			t.Fatalf("%+v %v %v", d, next, err)
		}
		test, err := v.TestChannel(t.Context(), vaulttest.Admin, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		defer test.Close()
		d = due(t, v)
		if len(d) != 1 || !d[0].Test || d[0].Message.Kind != vault.KindTest {
			t.Fatalf("%+v", d)
		}
		if err := v.Undelivered(t.Context(), d[0], "no", time.Now()); err != nil {
			t.Fatal(err)
		}
		if why := <-test.Outcome; why != "no" {
			t.Errorf("outcome %q", why)
		}
		time.Sleep(time.Minute)
		d = due(t, v)
		if len(d) != 1 || d[0].Message.ID != first.Message.ID || d[0].Attempts != 1 {
			t.Fatalf("%+v", d)
		}
		if list, err := v.Channels(t.Context(), vaulttest.Admin); err != nil || list[0].Trouble != "it took too long" {
			t.Errorf("%+v %v", list, err)
		}
		if got := drain(t, v); len(got) != 2 {
			t.Errorf("%d", len(got))
		}
	})
}

func TestTestsAreBounded(t *testing.T) {
	v := vaulttest.New(t)
	c := tellTo(t, v, "ops", vault.ChannelFilter{})
	for range 8 {
		test, err := v.TestChannel(t.Context(), vaulttest.Admin, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		test.Close()
	}
	_, err := v.TestChannel(t.Context(), vaulttest.Admin, c.ID)
	want(t, err, vault.ErrTooMany)
	_, err = v.TestChannel(t.Context(), vaulttest.Admin, "nope")
	want(t, err, vault.ErrNotFound)
	if got := drain(t, v); len(got) != 8 {
		t.Errorf("%d", len(got))
	}
}

// Two channels that are dead both do not tell each other so for ever.
func TestDeadChannelsDoNotEcho(t *testing.T) {
	v := vaulttest.New(t)
	tellTo(t, v, "a", vault.ChannelFilter{})
	tellTo(t, v, "b", vault.ChannelFilter{})
	spring(t, honey(t, v), 1)
	rounds := 0
	for all := due(t, v); len(all) > 0; all = due(t, v) {
		if rounds++; rounds > 10 {
			t.Fatal("there is no end to it")
		}
		for _, d := range all {
			if err := v.Undeliverable(t.Context(), d, "no"); err != nil {
				t.Fatal(err)
			}
		}
	}
	dead := 0
	list, err := v.Channels(t.Context(), vaulttest.Admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		letters, err := v.DeadLetters(t.Context(), vaulttest.Admin, c.ID)
		if err != nil || len(letters) != c.Dead {
			t.Fatalf("%d letters, %d counted, %v", len(letters), c.Dead, err)
		}
		dead += c.Dead
	}
	if dead != 4 { // the alarm, and that the other did not get it, each twice
		t.Errorf("%d dead", dead)
	}
	if n, err := v.RetryDeadLetters(t.Context(), vaulttest.Admin, list[0].ID, nil); err != nil || n != 2 {
		t.Errorf("%d %v", n, err)
	}
	if got := drain(t, v); len(got) != 2 {
		t.Errorf("%d", len(got))
	}
	_, err = v.RetryDeadLetters(t.Context(), vaulttest.Admin, list[1].ID, new(uint64(99)))
	want(t, err, vault.ErrNotFound)
	_, err = v.DeadLetters(t.Context(), vaulttest.Admin, "nope")
	want(t, err, vault.ErrNotFound)
	intact(t, v)
}

func TestDeadLettersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		tellTo(t, v, "ops", vault.ChannelFilter{})
		spring(t, honey(t, v), 1)
		if err := v.Undeliverable(t.Context(), due(t, v)[0], "no"); err != nil {
			t.Fatal(err)
		}
		go v.Run(t.Context())
		dead := func() int {
			list, err := v.Channels(t.Context(), vaulttest.Admin)
			if err != nil {
				t.Fatal(err)
			}
			return list[0].Dead
		}
		if dead() != 1 {
			t.Fatal("no dead letter")
		}
		time.Sleep(30*24*time.Hour + 2*time.Minute)
		if dead() != 0 {
			t.Error("it lies there for ever")
		}
	})
}

// What was delivered after its channel was deleted is no error.
func TestChannelDeletedMeanwhile(t *testing.T) {
	v := vaulttest.New(t)
	c := tellTo(t, v, "ops", vault.ChannelFilter{})
	spring(t, honey(t, v), 2)
	d := due(t, v)[0]
	if err := v.DeleteChannel(t.Context(), vaulttest.Admin, c.ID); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		v.Delivered(t.Context(), d), v.Undelivered(t.Context(), d, "x", time.Now()), v.Undeliverable(t.Context(), d, "x"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if got := due(t, v); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
