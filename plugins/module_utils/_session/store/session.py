# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session on disk: the private directory of a playbook run, with its tokens by identity."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import typing as t

from ..util import broken, clock, file_lock
from ..util.errors import SessionClosedError, SessionDamagedError, SessionError
from ..util.waiting import Waiter
from . import directory, key, tokens
from .renewal import RenewalPolicy
from .tokens import StoredTokens

#: The variable that puts a process on a session; an empty one keeps it away.
VARIABLE = "ONETOKEN_SESSION_DIRECTORY"
FORMAT = 2
_RECORD = "session.json"
#: The record of versions before, whose sessions are revoked and cleared, but not used.
_OLD_RECORD = "source.json"
_CLOUDS = "clouds.yaml"
_LOCK = "lock"
_CLOSED = "closed.json"
_TOKENS = "tokens"
_LOCKS = "locks"
OWNERS = "owners"
HANDLES = "handles"
DOCUMENTS = "discovery"
REFUSALS = "refusals"
STALE = "stale"
#: Where processes find the servers that their programs can run in; without it, there are none.
FORK_SERVER = "fork_server"
PROGRAM_LOG = "log"
IN_USE = "in-use"
FINISHING = "finishing"
#: What processes note for the run to warn of, and the empty file that each removes for it: that needs no room on a disk
#: that is full.
UNRECORDED = "unrecorded"
BROKEN = "broken"
SIGNS = {UNRECORDED: "recorded", BROKEN: broken.SIGN}
#: Files that grow by a byte for each thing that they count.
AUTHENTICATIONS = "authentications"
IDENTITIES = "identities"
ISSUED = "issued"
REQUESTS = "requests"
SERVED = "served"
DOCUMENTS_SERVED = "documents-served"
#: A line for each request.
TRAFFIC = "traffic"
#: How many requests a second there may be: as many as are not refused; or nothing is done about limits.
AUTO, OFF = "auto", "false"
#: Seconds for which a request waits for a limit.
LIMIT_TIMEOUT = 600
#: How long one process waits for another that holds the session's lock, in seconds.
LOCK_TIMEOUT = 300
_LOCK_POLL = 0.05
#: How the sessions are called that a run makes for itself, as opposed to those that a user named.
_RUN_PREFIX = "run-"
#: What the processes of a run load at their start, and the package that this folder is in it.
SITE = "site"
PACKAGE = "onetoken_session"
_LAYERS = ("util", "store", "rate_limit", "transport", "revoke", "sign_in", "fork_server")
_PACKAGES = (*(f"{SITE}/{PACKAGE}/{layer}" for layer in _LAYERS), f"{SITE}/{PACKAGE}")
#: Innermost first; the last but one is of versions before.
_SITE_FOLDERS = (
    *(folder for package in _PACKAGES for folder in (f"{package}/__pycache__", package)),
    f"{SITE}/__pycache__",
    f"{SITE}/{PACKAGE}-0.1.0.dist-info",
    SITE,
)
_FOLDERS = (_TOKENS, _LOCKS, OWNERS, HANDLES, DOCUMENTS, REFUSALS, STALE, FORK_SERVER)
_FILES = (
    *(IN_USE, FINISHING, *SIGNS.values(), AUTHENTICATIONS, IDENTITIES, ISSUED, REQUESTS, DOCUMENTS_SERVED, TRAFFIC),
    SERVED,
    *(key.FILE, _CLOUDS, _CLOSED, _LOCK, _OLD_RECORD, _RECORD),
)
_OWN_ENDINGS = (".json", ".py", ".pyc", ".lock", ".sock", ".zip", PROGRAM_LOG, "METADATA", "entry_points.txt")
#: What reading a file raises that does not hold what this collection wrote into it.
_DAMAGE = (OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclasses.dataclass(frozen=True)
class LivingToken:
    """A token that could not be revoked."""

    #: When it ends (UTC, ISO 8601), None if that is not known.
    until: str | None
    #: Why it lives and what to do, for the user.
    reason: str

    @property
    def ended(self) -> bool:
        return self.until is not None and clock.parse(self.until) <= clock.now()


def last_end(living: t.Sequence[LivingToken]) -> str | None:
    """When the last of these tokens ends; None if there is none, or if that is not known of one."""
    ends = [token.until for token in living]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


@dataclasses.dataclass(frozen=True)
class LimitOptions:
    """What the user chose for the limits of services."""

    #: A rate by number or name, AUTO, or OFF.
    requests_per_second: str = AUTO
    timeout: float = LIMIT_TIMEOUT


@dataclasses.dataclass
class SessionRecord:
    """What a session knows of itself, besides tokens: no secret is in it."""

    policy: RenewalPolicy
    #: Whether it is the session of whole runs, which revoke it at their end.
    of_runs: bool = False
    #: The tokens that Keystone refuses to revoke, which the session does not hold any more.
    living: list[LivingToken] = dataclasses.field(default_factory=list)
    limits: LimitOptions = dataclasses.field(default_factory=LimitOptions)


class Session:
    """A sign-in cache, in a directory of its own."""

    def __init__(self, path: str) -> None:
        #: Python reads code by it, so there is no link on its way; and one session has one path, however it is named.
        self.path = directory.real(path)

    def __repr__(self) -> str:
        return f"Session({self.path!r})"

    @classmethod
    def named(cls, name: str | None, environ: t.Mapping[str, str]) -> Session:
        """The session of this name or path; the one of the environment, or a new one, when it has none."""
        if not name:
            return cls.of_environment(environ) or cls.new(environ)
        path = os.path.expanduser(name)
        if not os.path.isabs(path):
            if os.sep in path or path in (".", ".."):
                raise SessionError(f"{name!r} cannot be a session: give a plain name, or an absolute path.")
            path = os.path.join(directory.default_base(environ), path)
        session = cls(path)
        if not directory.fits_search_path(session.path):
            raise SessionError(f"{name!r} cannot be a session: PYTHONPATH, which leads to it, cannot hold that name.")
        return session

    @classmethod
    def new(cls, environ: t.Mapping[str, str], base: str | None = None) -> Session:
        """One for a run by itself, not made yet."""
        base = base or directory.default_base(environ)
        session = cls(os.path.join(base, f"{_RUN_PREFIX}{secrets.token_hex(8)}"))
        if not directory.fits_search_path(session.path):
            raise SessionError(
                f"{base!r} cannot have sessions: PYTHONPATH, which leads to them, cannot hold that name."
            )
        return session

    @classmethod
    def of_environment(cls, environ: t.Mapping[str, str]) -> Session | None:
        """The session that a process was put on; None if there is none, or none any more."""
        path = environ.get(VARIABLE, "")
        session = cls(path) if os.path.isabs(path) else None
        return session if session is not None and session.exists else None

    @property
    def is_of_one_run(self) -> bool:
        """Whether a run made it for itself."""
        return os.path.basename(self.path).startswith(_RUN_PREFIX)

    @property
    def clouds_file(self) -> str:
        return os.path.join(self.path, _CLOUDS)

    @property
    def site(self) -> str:
        return os.path.join(self.path, SITE)

    @property
    def exists(self) -> bool:
        return any(os.path.lexists(os.path.join(self.path, name)) for name in (_RECORD, _OLD_RECORD))

    @property
    def is_own(self) -> bool:
        """Whether it belongs to the user of this process; the superuser, under become, works on those of others too."""
        try:
            return os.lstat(self.path).st_uid == os.geteuid()
        except OSError:
            return False

    @property
    def has_tokens(self) -> bool:
        """Whether there are tokens on its list."""
        return os.path.isdir(os.path.join(self.path, _TOKENS)) and bool(self.all_names())

    @property
    def state(self) -> tuple[int, int] | None:
        """Something that is another after every change of the record; None when there is none."""
        try:
            status = os.stat(os.path.join(self.path, _RECORD))
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def make(self) -> None:
        """Make the directory; one that holds something else than a session is left alone."""
        try:
            made = directory.make(self.path)
        except OSError as exc:
            raise SessionError(
                f"The session's directory {self.path} cannot be made ({exc.strerror}): name one that you can write to."
            ) from None
        if not made and not self.exists and self._has_strangers():
            raise SessionError(f"{self.path} is not a session but has files in it: name another directory.")
        try:
            with self.opened() as handle:
                for sign in SIGNS.values():
                    os.close(directory.open_file(handle, sign))
        except SessionError:
            if made:
                # Empty, unless another process is making the same session.
                with contextlib.suppress(OSError):
                    os.rmdir(self.path)
            raise

    def _has_strangers(self) -> bool:
        """Whether there are files of somebody else's; opening the directory says what else may be wrong with it."""
        try:
            names = os.listdir(self.path)
        except OSError:
            return False
        # A process that makes the same session at this moment may have put down the first of its files.
        return bool({name for name in names if not name.startswith(".")} - {*_FOLDERS, *_FILES, SITE})

    @contextlib.contextmanager
    def opened(self) -> t.Iterator[int]:
        """A handle on its directory, which is checked each time."""
        with directory.opened(self.path) as handle:
            yield handle

    @contextlib.contextmanager
    def locked(self, timeout: float = LOCK_TIMEOUT) -> t.Iterator[None]:
        """Keep others from signing in, from preparing and from revoking meanwhile."""
        lock = self._wait_for_lock(_LOCK, file_lock.EXCLUSIVE, timeout)
        try:
            yield
        finally:
            file_lock.unlock_and_close(lock)

    @contextlib.contextmanager
    def changed(self, timeout: float = LOCK_TIMEOUT) -> t.Iterator[None]:
        """Keep others from preparing and from revoking meanwhile, but not from signing in."""
        waiter = Waiter(timeout)
        with contextlib.ExitStack() as stack:
            stack.callback(file_lock.unlock_and_close, self._wait_for_lock(_LOCK, file_lock.SHARED, timeout))
            changes = self._wait_for_lock(self._lock_file("changes"), file_lock.EXCLUSIVE, waiter.seconds_left)
            stack.callback(file_lock.unlock_and_close, changes)
            yield

    def signing_in(self, timeout: float) -> int:
        """A handle; until it is released, or all copies of it are closed, nobody revokes the session."""
        return self._wait_for_lock(_LOCK, file_lock.SHARED, timeout)

    def _wait_for_lock(self, name: str, kind: int, timeout: float) -> int:
        waiter = Waiter(timeout)
        while (lock := self._try_lock(name, kind)) is None:
            if not waiter.pause(_LOCK_POLL):
                raise SessionError(
                    f"The session {self.path} is still locked by another process after {timeout:.0f} s: see what "
                    "holds it, then try again."
                )
        return lock

    def lock_for(self, name: str) -> int | None:
        """A handle on the lock of an identity or a document; None while another process asks for that."""
        return self._try_lock(self._lock_file(name), file_lock.EXCLUSIVE)

    def _lock_file(self, name: str) -> str:
        with self.opened() as handle, directory.subdirectory(handle, _LOCKS):
            pass
        return os.path.join(_LOCKS, f"{name}.lock")

    def _try_lock(self, name: str, kind: int) -> int | None:
        """The lock's handle, None when another process has it."""
        with self.opened() as handle:
            try:
                lock = directory.open_file(handle, name)
            except OSError as exc:
                raise SessionError(
                    f"The session {self.path} cannot be locked ({exc.strerror}): make room for a file there, or have "
                    "the session in another directory."
                ) from None
            # The session may have been removed in between, and its lock with it: then this one guards nothing.
            with contextlib.suppress(FileNotFoundError):
                if file_lock.try_lock(lock, kind) and os.path.samestat(os.fstat(lock), os.stat(name, dir_fd=handle)):
                    return lock
            file_lock.unlock_and_close(lock)
            return None

    @property
    def is_of_this_format(self) -> bool:
        """Whether it is one to sign in from; those of versions before are only revoked."""
        with self.opened() as handle:
            data = self._read_json(handle, _RECORD)
        return data is not None and data.get("format") == FORMAT

    def read_record(self) -> SessionRecord:
        with self.opened() as handle:
            data = self._read_json(handle, _RECORD)
        if data is None:
            raise SessionError(f"{self.path} is not a session: issue one with os_token_issue.")
        if data.get("format") != FORMAT:
            raise SessionError(
                f"The session {self.path} was written by another version of this collection: issue a new one."
            )
        with self.undamaged(_RECORD):
            return SessionRecord(
                RenewalPolicy(**data["renewal"]),
                bool(data["of_runs"]),
                [_living_of(one) for one in data["living"]],
                LimitOptions(**data.get("limits", {})),
            )

    def write_record(self, record: SessionRecord) -> None:
        data = {
            "format": FORMAT,
            "renewal": dataclasses.asdict(record.policy),
            "of_runs": record.of_runs,
            "living": [dataclasses.asdict(token) for token in record.living],
            "limits": dataclasses.asdict(record.limits),
        }
        with self.opened() as handle:
            directory.write(handle, _RECORD, json.dumps(data, indent=2))

    def read_clouds(self) -> str | None:
        with self.opened() as handle:
            return directory.read(handle, _CLOUDS)

    def write_clouds(self, text: str) -> None:
        with self.opened() as handle:
            directory.write(handle, _CLOUDS, text)

    def allow_fork_servers(self, allowed: bool) -> None:
        """Whether programs of the run may run in forks of a server."""
        with self.opened() as handle:
            if allowed:
                with directory.subdirectory(handle, FORK_SERVER):
                    return
            self._discard_folder(handle, FORK_SERVER)

    def key(self) -> bytes:
        return key.read_or_make(self.path)

    def read_tokens(self, name: str) -> StoredTokens | None:
        with self.opened() as handle:
            data = self._read_json(handle, f"{_TOKENS}/{_file_of(name)}")
        if data is None:
            return None
        with self.undamaged(name):
            return StoredTokens.of_record(data)

    def readable_tokens(self, name: str) -> tuple[list[tokens.Token], bool]:
        """An identity's tokens as far as they can be read, newest first, and whether these are all."""
        try:
            with self.opened() as handle:
                data = self._read_json(handle, f"{_TOKENS}/{_file_of(name)}")
        except SessionDamagedError:
            return [], False
        return tokens.readable(data) if data is not None else ([], True)

    def write_tokens(self, name: str, stored: StoredTokens) -> None:
        with self.opened() as handle, directory.subdirectory(handle, _TOKENS) as folder:
            directory.write(folder, _file_of(name), json.dumps(stored.record()))

    def set_tokens_aside(self, name: str) -> None:
        """Give a file that cannot be read as a whole another name, under which it stays on the list for the revoke."""
        aside = f"{_TOKENS}/{name}-{secrets.token_hex(4)}.json"
        with self.opened() as handle, contextlib.suppress(FileNotFoundError):
            os.rename(f"{_TOKENS}/{name}.json", aside, src_dir_fd=handle, dst_dir_fd=handle)

    def remove_tokens(self, name: str) -> None:
        file = f"{_TOKENS}/{_file_of(name)}"
        with self.opened() as handle, self.changing(file):
            directory.remove(handle, file)

    def names(self) -> list[str]:
        """The names of the identities that have tokens on the list."""
        return [name for name in self.all_names() if not directory.is_temporary(name)]

    def all_names(self) -> list[str]:
        """The same with those of files that are not in place yet; of a writer that was killed, they stay so."""
        with self.opened() as handle:
            found = [name for name in directory.names(handle, _TOKENS) if name.isprintable()]
        # What has another name, nobody wrote who keeps tokens; one that cannot be printed would break a message.
        records = [name[: -len(".json")] for name in found if name.endswith(".json") and not name.startswith(".")]
        return sorted([*records, *(name for name in found if directory.is_temporary(name))])

    @property
    def closed(self) -> bool:
        with self.opened() as handle:
            return directory.size(handle, _CLOSED) is not None

    def close(self) -> None:
        """From here on nobody signs in with it, unless os_token_issue opens it again."""
        with self.opened() as handle:
            directory.write(handle, _CLOSED, json.dumps({"closed_at": clock.show(clock.now())}))

    def reopen(self) -> None:
        with self.opened() as handle:
            directory.remove(handle, _CLOSED)

    def refuse_closed(self) -> None:
        if self.closed:
            raise SessionClosedError(
                f"The session {self.path} was revoked, so this task has no token: issue it again with os_token_issue, "
                "or move the revoke behind this task."
            )

    def count(self, file: str, number: int = 1) -> None:
        """Add to a number that several processes count together: bytes, as that needs no lock.

        Where that cannot be written, nothing is counted: no work fails for want of a number.
        """
        with contextlib.suppress(SessionError, OSError):
            with self.opened() as handle:
                counted = directory.open_file(handle, file, os.O_APPEND)
            try:
                os.write(counted, b"." * number)
            finally:
                os.close(counted)

    def counted(self, file: str) -> int:
        with self.opened() as handle:
            return directory.size(handle, file) or 0

    def note_trouble(self, trouble: str) -> None:
        """Have the run warn of it: the output of a process is the result of its task."""
        with contextlib.suppress(SessionError, OSError), self.opened() as handle:
            directory.remove(handle, SIGNS[trouble])

    def troubles(self) -> set[str]:
        with self.opened() as handle:
            return {trouble for trouble, sign in SIGNS.items() if directory.size(handle, sign) is None}

    def discard(self) -> None:
        """Remove the session's own files, then the directories that this leaves empty: never a tree."""
        key.remove(self.path)
        with self.opened() as handle:
            for folder in (*_FOLDERS, *_SITE_FOLDERS):
                self._discard_folder(handle, folder)
            temporary = [name for name in os.listdir(handle) if directory.is_temporary(name)]
            for name in (*temporary, *_FILES):
                directory.remove(handle, name)
        with contextlib.suppress(OSError):
            os.rmdir(self.path)

    @staticmethod
    def _discard_folder(handle: int, folder: str) -> None:
        # What is missing, or is a link to somewhere else, is left as it is.
        with contextlib.suppress(OSError), directory.nested(handle, folder) as inner:
            for name in os.listdir(inner):
                if name.endswith(_OWN_ENDINGS) or directory.is_temporary(name):
                    directory.remove(inner, name)
            os.rmdir(folder, dir_fd=handle)

    def _read_json(self, handle: int, name: str) -> dict[str, t.Any] | None:
        with self.undamaged(name):
            text = directory.read(handle, name)
            return None if text is None else dict(json.loads(text))

    @contextlib.contextmanager
    def changing(self, file: str) -> t.Iterator[None]:
        """Raise a SessionError when a file cannot be changed or removed."""
        try:
            yield
        except OSError as exc:
            raise SessionError(
                f"The file {file} of the session {self.path} cannot be changed ({exc.strerror}): make its directory "
                "writable for this user, and make room there."
            ) from None

    @contextlib.contextmanager
    def undamaged(self, name: str) -> t.Iterator[None]:
        """Raise a SessionError when a file does not hold what this collection wrote into it."""
        try:
            yield
        except _DAMAGE:
            raise SessionDamagedError(
                f"The file {name} of the session {self.path} is damaged: remove the session's directory, in which case "
                "its token lives until it expires, and issue a new one."
            ) from None


def _file_of(name: str) -> str:
    """The file with the tokens of this name."""
    return name if directory.is_temporary(name) else f"{name}.json"


def _living_of(record: dict[str, t.Any]) -> LivingToken:
    until, reason = record["until"], record["reason"]
    if not isinstance(reason, str) or not isinstance(until, (str, type(None))):
        raise TypeError("a living token without texts")
    if until is not None:
        clock.parse(until)
    return LivingToken(until, reason)
