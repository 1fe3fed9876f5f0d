"""Environments are made once for what they pin, and what cannot be made says so."""

import pytest

from labwright.core.errors import NotFound
from labwright.testing import environment


def test_an_environment_is_made_once_and_anew_where_its_pins_change(tmp_path):
    pins, folder = tmp_path / "requirements.txt", tmp_path / "made"
    pins.write_text("# nothing\n")

    python = environment(pins, folder)
    (folder / "kept").touch()

    assert environment(pins, folder) == python
    assert (folder / "kept").exists()
    pins.write_text("# nothing else\n")
    environment(pins, folder)
    assert not (folder / "kept").exists()


def test_what_cannot_be_installed_says_so_and_is_tried_again(tmp_path):
    pins = tmp_path / "requirements.txt"
    pins.write_text("./there-is-no-such-folder\n")

    for _ in range(2):
        with pytest.raises(NotFound, match="cannot be installed"):
            environment(pins, tmp_path / "made")
