"""Who may log in: names, roles and hashed passwords, in `data_dir/users.json`.

    {"v": 1, "users": {"anna": {"role": "engineer", "hash": "$argon2id$…"}}}

Mode 0600, exchanged in one step: a crash leaves the file before or the file after. While it cannot be read, nobody can
log in and nobody can take the place of those who are in it; the agent goes on without.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import orjson

from edge_agent.web.disk import write

NAME: Final = "users.json"
Role = Literal["viewer", "operator", "engineer"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

# What OWASP asks of argon2id at the least: a gateway of 512 MB hashes it in a tenth of a second or two.
TIME_COST: Final = 2
MEMORY_KIB: Final = 19_456
# One at a time, so that many who log in at once take no more memory than one; those above are sent away.
WAITING: Final = 8
LEAST: Final = 10
LONGEST: Final = 200
MOST_PEOPLE: Final = 200
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Unwelcome(ValueError):
    """A name, password or role that cannot be taken; says what would be right."""


class Crowded(Exception):
    """Too many wait for their password to be looked at."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may log in."""

    name: str
    role: Role
    hash: str

    @property
    def proof(self) -> str:
        """Another one with each password; tells nothing of it."""
        return hashlib.sha256(self.hash.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Person({self.name}, {self.role})"


class People:
    """The file and its content; one object a file."""

    def __init__(self, folder: Path) -> None:
        """Blocks on the disk."""
        self._path = folder / NAME
        self.trouble = ""
        """why the file cannot be read; then there is nobody, and nobody can be added"""
        try:
            self._people = _read(self._path)
        except (OSError, ValueError) as error:
            self._people = {}
            self.trouble = f"{self._path} cannot be read: {getattr(error, 'strerror', None) or error}"
        self._hashing = asyncio.Semaphore(1)
        self._changing = asyncio.Lock()
        self._waiting = 0
        self._nobody = ""

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Any:
        return iter(sorted(self._people.values(), key=lambda person: person.name))

    def __getitem__(self, name: str) -> Person:
        return self._people[name]

    def find(self, name: str) -> Person | None:
        """The person of that name."""
        return self._people.get(name)

    async def check(self, name: str, password: str) -> Person | None:
        """The person, if it is their password. Takes as long for a name that is not there."""
        person = self._people.get(name)
        if person is None:
            self._nobody = self._nobody or await self._hashed(_hash, "nobody has this password")
        held = person.hash if person else self._nobody
        right = await self._hashed(_verify, held, password[:LONGEST + 1])
        return person if right and person is not None and self._people.get(name) is person else None

    async def put(self, name: str, role: Role, password: str | None) -> bool:
        """Add somebody, or change them; `password` None: it stays. Whether they are new. Raises Unwelcome, OSError."""
        self._have_file()
        _judge(name, password)
        before = self._people.get(name)
        if before is None and password is None:
            raise Unwelcome(f"{name} is new here and needs a password")
        if before is None and len(self._people) >= MOST_PEOPLE:
            raise Unwelcome(f"{MOST_PEOPLE} people are known already; remove one first")
        hashed = before.hash if password is None and before else await self._hashed(_hash, password or "")
        async with self._changing:
            people = {**self._people, name: Person(name, role, hashed)}
            _keep_an_engineer(people)
            await self._write(people)
        return before is None

    async def remove(self, name: str) -> bool:
        """Whether they were there. Raises Unwelcome for the last engineer, and OSError."""
        async with self._changing:
            if name not in self._people:
                return False
            people = {one: person for one, person in self._people.items() if one != name}
            _keep_an_engineer(people)
            await self._write(people)
        return True

    async def put_first(self, name: str, password: str) -> bool:
        """The first engineer; False if somebody was quicker. Raises as `put`."""
        self._have_file()
        _judge(name, password)
        hashed = await self._hashed(_hash, password)
        async with self._changing:
            if self._people:
                return False
            await self._write({name: Person(name, "engineer", hashed)})
        return True

    def _have_file(self) -> None:
        if self.trouble:
            raise Unwelcome(f"{self.trouble}; put it right, or away, and restart the agent")

    async def _hashed(self, work: Any, *said: str) -> Any:
        if self._waiting >= WAITING:
            raise Crowded
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(work, *said)
        finally:
            self._waiting -= 1

    async def _write(self, people: Mapping[str, Person]) -> None:
        await asyncio.to_thread(_write, self._path, people)
        self._people = dict(people)


def _judge(name: str, password: str | None) -> None:
    if not _NAME.fullmatch(name):
        raise Unwelcome("a name is small letters, digits and . _ -, at most 63, beginning with a letter or digit")
    if password is None:
        return
    if not LEAST <= len(password) <= LONGEST:
        raise Unwelcome(f"a password has {LEAST} to {LONGEST} characters")
    if password.casefold() == name.casefold() or len(set(password)) < LEAST // 2:
        raise Unwelcome("this password is too easy to guess")


def _keep_an_engineer(people: Mapping[str, Person]) -> None:
    if not any(person.role == "engineer" for person in people.values()):
        raise Unwelcome("somebody must stay an engineer, else nobody could change anything any more")


def _hasher() -> Any:
    # Imported here: only who logs in needs it.
    from argon2 import PasswordHasher

    return PasswordHasher(TIME_COST, MEMORY_KIB, parallelism=1)


def _hash(password: str) -> str:
    return str(_hasher().hash(password.encode("utf-8", "surrogatepass")))


def _verify(held: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return bool(_hasher().verify(held, password.encode("utf-8", "surrogatepass")))
    except (VerificationError, InvalidHashError):
        return False


def _read(path: Path) -> dict[str, Person]:
    try:
        said = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    try:
        people = {name: Person(name, one["role"], str(one["hash"])) for name, one in said["users"].items()}
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it is no list of users ({error!r})") from error
    for person in people.values():
        if person.role not in ROLES:
            raise ValueError(f"{person.name} has the role {person.role!r}, which this version does not know")
    return people


def _write(path: Path, people: Mapping[str, Person]) -> None:
    told = {name: {"role": person.role, "hash": person.hash} for name, person in sorted(people.items())}
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, orjson.dumps({"v": 1, "users": told}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), 0o600)
