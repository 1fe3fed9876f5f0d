import pytest
import yaml

from labwright.campaigns.file import find_file, renamed


@pytest.mark.parametrize("name", ["other", "a.b-c_1", "123", "true", "1e3", "null"])
def test_a_renamed_file_differs_in_its_name_only(name):
    text = "# before\nname: study  # what for\nspace: {name: {kind: continuous}}\n"

    found = renamed(text, name)

    assert yaml.safe_load(found)["name"] == name
    assert found.splitlines()[0::2] == text.splitlines()[0::2]
    assert found.splitlines()[1].endswith("  # what for")


def test_a_file_is_found_again_by_its_text(tmp_path):
    (tmp_path / "a.yaml").write_text("name: a")
    (tmp_path / "b.yml").write_bytes(b"\xef\xbb\xbfname: b")
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe")

    assert find_file(tmp_path, "name: b") == tmp_path / "b.yml"
    assert find_file(tmp_path, "name: c") is None
