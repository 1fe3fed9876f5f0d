import pytest

from labwright.access import Cost, check_quality, generate, matches, seal
from labwright.core.errors import InvalidInput

CHEAP = Cost(memory_kib=64, passes=1, lanes=1)


def test_a_secret_matches_its_hash_and_no_other_does():
    sealed = seal("correct horse battery", CHEAP)

    assert matches("correct horse battery", sealed)
    assert not matches("correct horse batterz", sealed)
    assert not matches("", sealed)
    assert "correct" not in sealed


def test_the_same_secret_is_never_sealed_alike():
    assert seal("correct horse battery", CHEAP) != seal("correct horse battery", CHEAP)


def test_it_is_argon2id_at_the_cost_of_rfc_9106():
    assert seal(generate()).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_an_accent_is_the_same_however_the_keyboard_writes_it():
    assert matches("caf\u00e9 au lait noir", seal("cafe\u0301 au lait noir", CHEAP))


@pytest.mark.parametrize("sealed", ["", "nonsense", "$argon2id$v=19$m=1,t=1,p=4$AAAAAAAAAAA$AAAAAAAAAAA", "*"])
def test_what_is_no_hash_matches_nothing(sealed):
    assert not matches("", sealed)
    assert not matches("correct horse battery", sealed)


@pytest.mark.parametrize("weak", ["", "short", "aaaaaaaaaaaaaaaa", "x" * 1001])
def test_a_secret_that_is_easily_guessed_is_refused_and_not_repeated(weak):
    with pytest.raises(InvalidInput) as error:
        seal(weak, CHEAP)

    assert not weak or weak not in str(error.value)


def test_what_is_generated_is_good_and_new_each_time():
    made = {generate() for _ in range(100)}

    assert len(made) == 100
    for secret in made:
        check_quality(secret)
