"""Say where checkpoints of trainings that are under way lie: in a folder that is of one database, as the lock is."""

import hashlib
from pathlib import Path

from search.storage.url import read_url, sqlite_file

HOME = Path(".widefront") / "claims"


def folder_of(url: str) -> Path:
    """Return the folder of a database: whoever has its lock is alone there, from whichever folder the command is run.

    A file has it beside itself, where its lock is too. A server's is in the working folder, by where the server is and
    what the database is called there; what was begun in another one begins anew.

    Raises:
        InputError: the URL cannot be read.
    """
    address = read_url(url)
    if address.get_backend_name() == "sqlite":
        file = sqlite_file(address).absolute()
        return file.parent / HOME / file.name
    asked = address.normalized_query
    told = (*asked.get("host", (address.host,)), *asked.get("port", (address.port,)), address.database)
    return HOME.absolute() / hashlib.sha256(repr(tuple(map(str, told))).encode()).hexdigest()[:16]
