"""The vault: nothing readable in it, nothing left of whoever is forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from api.access.sealing import SECRET_KEY_SHORTEST, CannotUnseal, Sealer, derive
from api.access.vault import Secret, Vault
from api.access.vault_seals import check_secret_key
from api.access.vault_tables import COLUMNS
from domain.refusals import AlreadyThere, NotThere, Unavailable
from projections.log import open_log
from tests.household import SECRET_KEY

ANN, BEN = "a" * 32, "b" * 32
KEY, OTHER_KEY = "K" * 20, "L" * 20
SECRET = Secret("secret-of-the-key", "token-of-the-key")


@pytest.fixture
def log(events_url):
    with closing(open_log(events_url)) as log:
        yield log


@pytest.fixture
def vault(log):
    return Vault(log, SECRET_KEY)


@pytest.fixture
def filled(vault):
    """A vault that knows Ann."""
    vault.claim_name(ANN, "Ann Example")
    vault.keep_secret(KEY, ANN, SECRET)
    vault.keep_password(ANN, "hash-of-the-password")
    return vault


def stored(vault, log, folder):
    """All that the store holds: a file's very bytes, or whatever a database tells of its rows."""
    if log.kind == "sqlite":
        return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    with vault.reading() as cursor:
        return b"".join(cell for row in rows(cursor) for cell in row)


def rows(cursor):
    for table in COLUMNS:
        cursor.execute(f"SELECT * FROM {table}")
        for row in cursor.fetchall():
            yield [
                each if isinstance(each, bytes) else each.encode() for each in dict(row).values()
            ]


def change(vault, query, *values):
    with vault.writing() as cursor:
        cursor.execute(query, values)


def test_what_is_put_in_comes_out(filled):
    assert filled.user_id_of("Ann Example") == ANN
    assert filled.name_of(ANN) == "Ann Example"
    assert filled.names() == {ANN: "Ann Example"}
    assert filled.secret_of(KEY) == SECRET
    assert filled.password_hash(ANN) == "hash-of-the-password"


def test_it_is_there_for_every_process(filled, events_url):
    with closing(open_log(events_url)) as log:
        other = Vault(log, SECRET_KEY)
        assert other.name_of(ANN) == "Ann Example"
        assert other.secret_of(KEY) == SECRET


def test_it_may_be_opened_for_the_first_time_by_many_at_once(events_url):
    def begin(number):
        with closing(open_log(events_url)) as log:
            Vault(log, SECRET_KEY).claim_name(f"{number:032}", f"user {number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(begin, range(8)))
    with closing(open_log(events_url)) as log:
        assert len(Vault(log, SECRET_KEY).names()) == 8


def test_of_many_who_claim_a_name_at_once_one_gets_it(vault):
    def claim(number):
        try:
            vault.claim_name(f"{number:032}", "Ann")
        except AlreadyThere:
            return 0
        return 1

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(16))) == 1


def test_nothing_is_kept_for_whoever_is_forgotten_meanwhile(vault):
    def race(number):
        person, key = f"{number:032}", f"{number:020}"
        vault.claim_name(person, f"user {number}")
        with ThreadPoolExecutor(2) as threads:
            forgotten = threads.submit(vault.forget, person)
            kept = threads.submit(vault.keep_secret, key, person, SECRET)
            forgotten.result()
            if not kept.exception():
                with pytest.raises(NotThere):
                    vault.secret_of(key)

    for number in range(25):
        race(number)


def test_nobody_is_known_at_first(vault):
    assert vault.user_id_of("Ann Example") is None
    assert vault.name_of(ANN) is None
    assert vault.names() == {}
    assert vault.password_hash(ANN) is None
    with pytest.raises(NotThere, match=f"The access key '{KEY}' does not exist"):
        vault.secret_of(KEY)


@pytest.mark.parametrize("name", ["Ann Example", "ANN example"])
def test_a_name_is_given_once_in_whatever_case(filled, name):
    with pytest.raises(AlreadyThere, match=f"The user '{name}' exists already"):
        filled.claim_name(BEN, name)
    assert filled.user_id_of(name) == ANN


def test_a_name_typed_in_another_way_is_the_same(vault):
    vault.claim_name(ANN, "J\u00fcrgen Stra\u00dfe")
    assert vault.user_id_of("ju\u0308rgen strasse") == ANN


def test_a_name_that_is_no_text_is_nobodys(vault):
    assert vault.user_id_of("\ud800") is None


def test_nothing_can_be_read_in_the_store(filled, log, tmp_path):
    filled.seal_address(ANN, "192.0.2.7")
    readable = stored(filled, log, tmp_path)
    for text in (
        b"Ann Example", b"ann example", b"secret-of", b"token-of", b"hash-of", b"192.0.2.7",
        SECRET_KEY,
    ):  # fmt: skip
        assert text not in readable


def test_a_secret_is_not_shown():
    assert "secret-of-the-key" not in repr(SECRET)


def test_nothing_is_left_of_whoever_is_forgotten(filled, log, tmp_path):
    filled.claim_name(BEN, "Ben")
    filled.keep_secret(OTHER_KEY, BEN, SECRET)
    with filled.reading() as cursor:
        cursor.execute("SELECT person_key, name FROM people WHERE user_id = ?", (ANN,))
        sealed = tuple(dict(cursor.fetchone()).values())
    assert all(each in stored(filled, log, tmp_path) for each in sealed)
    filled.forget(ANN)
    assert filled.names() == {BEN: "Ben"}
    assert filled.password_hash(ANN) is None
    with pytest.raises(NotThere):
        filled.secret_of(KEY)
    assert filled.secret_of(OTHER_KEY) == SECRET
    assert not any(each in stored(filled, log, tmp_path) for each in sealed)


def test_forgetting_again_changes_nothing(filled):
    filled.forget(ANN)
    filled.forget(ANN)
    assert filled.names() == {}


def test_a_forgotten_name_may_be_given_again(filled):
    filled.forget(ANN)
    filled.claim_name(BEN, "Ann Example")
    assert filled.user_id_of("ann example") == BEN


def test_nothing_is_kept_for_whoever_is_not_known(vault):
    with pytest.raises(NotThere, match=f"The user '{ANN}' does not exist"):
        vault.keep_secret(KEY, ANN, SECRET)
    with pytest.raises(NotThere, match=f"The user '{ANN}' does not exist"):
        vault.keep_password(ANN, "hash")
    with pytest.raises(NotThere):
        vault.secret_of(KEY)
    assert vault.password_hash(ANN) is None


def test_a_secret_is_never_replaced(filled):
    with pytest.raises(AlreadyThere, match=f"The access key '{KEY}' exists already"):
        filled.keep_secret(KEY, ANN, Secret("another", None))
    assert filled.secret_of(KEY) == SECRET


def test_a_secret_is_dropped_once(filled):
    assert filled.drop_secret(KEY)
    assert not filled.drop_secret(KEY)
    with pytest.raises(NotThere):
        filled.secret_of(KEY)


def test_another_password_takes_the_place_of_the_one_before(filled):
    filled.keep_password(ANN, "hash of another")
    assert filled.password_hash(ANN) == "hash of another"


def test_an_address_is_sealed_until_the_person_is_forgotten(filled):
    sealed = filled.seal_address(ANN, "2001:db8::7")
    assert sealed.isascii()
    assert sealed != filled.seal_address(ANN, "2001:db8::7")
    assert filled.unseal_address(ANN, sealed) == "2001:db8::7"
    filled.forget(ANN)
    with pytest.raises(NotThere):
        filled.unseal_address(ANN, sealed)
    with pytest.raises(NotThere):
        filled.seal_address(ANN, "2001:db8::7")


def test_an_address_is_one_persons_alone(filled):
    filled.claim_name(BEN, "Ben")
    with pytest.raises(CannotUnseal):
        filled.unseal_address(BEN, filled.seal_address(ANN, "192.0.2.7"))


@pytest.mark.parametrize("sealed", ["", "x", "eA==", "A" * 64, "é"])
def test_what_is_no_address_is_refused(filled, sealed):
    with pytest.raises(CannotUnseal):
        filled.unseal_address(ANN, sealed)


def test_rows_cannot_be_swapped(filled):
    filled.claim_name(BEN, "Ben")
    filled.keep_secret(OTHER_KEY, BEN, SECRET)
    filled.keep_password(BEN, "hash of Ben's")
    for table, column in (("people", "name"), ("passwords", "hash")):
        of_ben = f"(SELECT {column} FROM {table} WHERE user_id = ?)"
        query = f"UPDATE {table} SET {column} = {of_ben} WHERE user_id = ?"
        change(filled, query, BEN, ANN)
    change(filled, "UPDATE secrets SET user_id = ? WHERE access_key = ?", ANN, OTHER_KEY)
    with pytest.raises(CannotUnseal):
        filled.name_of(ANN)
    with pytest.raises(CannotUnseal):
        filled.password_hash(ANN)
    with pytest.raises(CannotUnseal):
        filled.secret_of(OTHER_KEY)


def test_a_persons_key_is_that_persons_alone(filled):
    filled.claim_name(BEN, "Ben")
    query = "UPDATE people SET person_key = (SELECT person_key FROM people WHERE user_id = ?)"
    change(filled, query, BEN)
    assert filled.name_of(BEN) == "Ben"
    with pytest.raises(CannotUnseal, match=f"people.person_key/{ANN} was altered"):
        filled.name_of(ANN)


def test_another_secret_key_is_found_out_at_once(filled, log):
    with pytest.raises(CannotUnseal, match="is sealed under another key"):
        Vault(log, b"another secret key, as long......")


def test_the_shortest_secret_key_is_taken_and_one_shorter_is_not(log):
    Vault(log, b"k" * SECRET_KEY_SHORTEST)
    with pytest.raises(ValueError, match="must be at least 32 bytes"):
        Vault(log, b"k" * (SECRET_KEY_SHORTEST - 1))


def test_keys_differ_by_purpose_and_are_not_the_secret_key():
    keys = {derive(SECRET_KEY, purpose) for purpose in ("vault", "names", "tokens")}
    assert len(keys) == 3
    assert SECRET_KEY not in keys


@pytest.mark.parametrize("cut", range(0, 43, 3))
def test_what_was_cut_or_altered_does_not_come_out(cut):
    sealer = Sealer(b"k" * 32)
    sealed = sealer.seal(b"content", "place")
    assert sealer.unseal(sealed, "place") == b"content"
    altered = bytearray(sealed)
    altered[cut % len(sealed)] ^= 1
    for wrong in (sealed[:cut], bytes(altered)):
        with pytest.raises(CannotUnseal):
            sealer.unseal(wrong, "place")


def test_a_store_that_does_not_answer_is_unavailable(filled):
    change(filled, "DROP TABLE secrets")
    with pytest.raises(Unavailable):
        filled.secret_of(KEY)
    with pytest.raises(Unavailable):
        filled.keep_secret(OTHER_KEY, ANN, SECRET)


def test_a_secret_key_can_be_tried_on_rows_alone(filled):
    with filled.reading() as cursor:
        cursor.execute("SELECT * FROM people")
        people = cursor.fetchall()
    check_secret_key(people, SECRET_KEY)
    check_secret_key([], b"w" * 32)
    with pytest.raises(CannotUnseal, match="another key"):
        check_secret_key(people, b"w" * 32)
    with pytest.raises(ValueError, match="at least"):
        check_secret_key(people, b"short")
