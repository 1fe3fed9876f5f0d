"""Files by their content."""

import pytest

from labwright.core.errors import InvalidInput, LedgerBroken, NotFound, StorageUnavailable
from labwright.storage.objects import Objects


@pytest.fixture
def objects(tmp_path) -> Objects:
    return Objects(tmp_path / "objects")


def files(tmp_path):
    return [p for p in (tmp_path / "objects").rglob("*") if p.is_file()]


@pytest.mark.parametrize("data", [b"", b"spectrum", bytes(100_000)])
def test_what_was_put_is_given_back(objects, data):
    assert objects.get(objects.put(data)) == data


def test_the_same_bytes_are_stored_once_under_their_hash(objects, tmp_path):
    reference = objects.put(b"spectrum")

    assert objects.put(b"spectrum") == reference
    [path] = files(tmp_path)
    assert reference == f"sha256:{path.parent.name}{path.name}"


def test_a_damaged_object_is_named_and_mended_by_putting_it_again(objects, tmp_path):
    reference = objects.put(b"spectrum")
    files(tmp_path)[0].write_bytes(b"spectrun")

    with pytest.raises(LedgerBroken, match="is damaged"):
        objects.get(reference)
    objects.put(b"spectrum")
    assert objects.get(reference) == b"spectrum"


def test_what_is_not_there_and_what_is_no_reference_are_told_apart(objects):
    with pytest.raises(NotFound, match="There is no object sha256:00"):
        objects.get(f"sha256:{'0' * 64}")
    with pytest.raises(InvalidInput, match="is not a reference"):
        objects.get("sha256:../../etc/passwd")


def test_a_folder_that_cannot_be_written_is_an_error_of_storage(objects, tmp_path):
    (tmp_path / "objects").write_text("in the way")

    with pytest.raises(StorageUnavailable, match="cannot be written"):
        objects.put(b"spectrum")
