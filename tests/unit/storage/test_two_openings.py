"""One database opened twice in one process."""

import subprocess
import sys

from labwright.storage.database import Database
from labwright.storage.database.schema import limit_keys

ADD = """
import sys
from sqlalchemy import insert
from labwright.storage.database import Database
from labwright.storage.database.schema import limit_keys
database = Database.open(sys.argv[1])
with database.write() as connection:
    connection.execute(insert(limit_keys).values(key=sys.argv[2], person="Ada", added_at=""))
database.close()
"""


def keys(database):
    with database.read() as connection:
        return [row.key for row in connection.execute(limit_keys.select().order_by(limit_keys.c.id))]


def test_nothing_is_missed_after_the_file_was_opened_and_closed_once_more(tmp_path):
    url = f"sqlite:///{tmp_path / 'labwright.db'}"
    Database.open(url, create=True).close()
    first = Database.open(url)
    assert keys(first) == []
    Database.open(url).close()

    seen = []
    for key in ("one", "two"):
        subprocess.run([sys.executable, "-c", ADD, url, key], check=True)
        seen.append(keys(first))

    assert seen == [["one"], ["one", "two"]]
    first.close()
