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
#: The record of earlier versions, whose sessions are revoked and cleared, but not used.
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
#: Where processes find the fork servers; without this directory, there are none.
FORK_SERVER = "fork_server"
PROGRAM_LOG = "log"
IN_USE = "in-use"
FINISHING = "finishing"
#: The problems that processes report to their run, each by removing an empty file: that needs no room on a full disk.
UNRECORDED = "unrecorded"
BROKEN = "broken"
PROBLEM_FILES = {UNRECORDED: "recorded", BROKEN: broken.FILE}
#: Counters: files that grow by a byte for each thing that they count.
AUTHENTICATIONS = "authentications"
IDENTITIES = "identities"
ISSUED = "issued"
REQUESTS = "requests"
SERVED = "served"
DOCUMENTS_SERVED = "documents-served"
#: A line for each request.
TRAFFIC = "traffic"
#: Values for requests a second: as many as the cloud allows, or no limit.
AUTO, OFF = "auto", "false"
#: Seconds for which a request waits for a rate limit.
LIMIT_TIMEOUT = 600
#: How long one process waits for another that holds the session's lock, in seconds.
LOCK_TIMEOUT = 300
_LOCK_POLL = 0.05
#: The names of sessions that a run makes for itself begin with this.
_RUN_PREFIX = "run-"
#: The code that the processes of a run load at their start, and the package in it that this code is.
SITE = "site"
PACKAGE = "onetoken_session"
_LAYERS = ("util", "store", "rate_limit", "transport", "revoke", "sign_in", "fork_server")
_PACKAGES = (*(f"{SITE}/{PACKAGE}/{layer}" for layer in _LAYERS), f"{SITE}/{PACKAGE}")
#: Innermost first; the last but one is of earlier versions.
_SITE_FOLDERS = (
    *(folder for package in _PACKAGES for folder in (f"{package}/__pycache__", package)),
    f"{SITE}/__pycache__",
    f"{SITE}/{PACKAGE}-0.1.0.dist-info",
    SITE,
)
_FOLDERS = (_TOKENS, _LOCKS, OWNERS, HANDLES, DOCUMENTS, REFUSALS, STALE, FORK_SERVER)
_FILES = (
    *(
        IN_USE,
        FINISHING,
        *PROBLEM_FILES.values(),
        AUTHENTICATIONS,
        IDENTITIES,
        ISSUED,
        REQUESTS,
        DOCUMENTS_SERVED,
        TRAFFIC,
    ),
    SERVED,
    *(key.FILE, _CLOUDS, _CLOSED, _LOCK, _OLD_RECORD, _RECORD),
)
_OWN_SUFFIXES = (".json", ".py", ".pyc", ".lock", ".sock", ".zip", PROGRAM_LOG, "METADATA", "entry_points.txt")
#: What reading a damaged file raises.
_DAMAGE = (OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclasses.dataclass(frozen=True)
class LivingToken:
    """A token that could not be revoked."""

    #: When it expires (UTC, ISO 8601); None if that is not known.
    until: str | None
    #: Why it is still valid and what to do, for the user.
    reason: str

    @property
    def ended(self) -> bool:
        return self.until is not None and clock.parse(self.until) <= clock.now()


def last_end(living: t.Sequence[LivingToken]) -> str | None:
    """When the last of these tokens expires; None if there are none, or if that is not known of one."""
    ends = [token.until for token in living]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


@dataclasses.dataclass(frozen=True)
class LimitOptions:
    """The user's options for rate limits."""

    #: A number, the name of a cloud, AUTO, or OFF.
    requests_per_second: str = AUTO
    timeout: float = LIMIT_TIMEOUT


@dataclasses.dataclass
class SessionRecord:
    """What a session has on record apart from its tokens: no secret is in it."""

    policy: RenewalPolicy
    #: Whether it is the session of playbook runs, which revoke it at their end.
    of_runs: bool = False
    #: The tokens that Keystone refuses to revoke, and that the session therefore no longer holds.
    living: list[LivingToken] = dataclasses.field(default_factory=list)
    limits: LimitOptions = dataclasses.field(default_factory=LimitOptions)


class Session:
    """A sign-in cache, in a directory of its own."""

    def __init__(self, path: str) -> None:
        #: Without symbolic links: Python loads code by it, and a session has one path, whichever name was used.
        self.path = directory.real(path)

    def __repr__(self) -> str:
        return f"Session({self.path!r})"

    @classmethod
    def named(cls, name: str | None, environ: t.Mapping[str, str]) -> Session:
        """The session of this name or path; without one, that of the environment, or a new one."""
        if not name:
            return cls.of_environment(environ) or cls.new(environ)
        path = os.path.expanduser(name)
        if not os.path.isabs(path):
            if os.sep in path or path in (".", ".."):
                raise SessionError(f"{name!r} cannot be a session: give a plain name, or an absolute path.")
            path = os.path.join(directory.default_base(environ), path)
        session = cls(path)
        if not directory.fits_search_path(session.path):
            raise SessionError(f"{name!r} cannot be a session: PYTHONPATH does not allow such a name.")
        return session

    @classmethod
    def new(cls, environ: t.Mapping[str, str], base: str | None = None) -> Session:
        """A session of a run's own, which is not made yet."""
        base = base or directory.default_base(environ)
        session = cls(os.path.join(base, f"{_RUN_PREFIX}{secrets.token_hex(8)}"))
        if not directory.fits_search_path(session.path):
            raise SessionError(
                f"{base!r} cannot have sessions: PYTHONPATH, which leads to them, cannot hold that name."
            )
        return session

    @classmethod
    def of_environment(cls, environ: t.Mapping[str, str]) -> Session | None:
        """The session that the environment names; None if it names none that exists."""
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
        """Whether it belongs to the user of this process; the superuser, under become, also uses those of others."""
        try:
            return os.lstat(self.path).st_uid == os.geteuid()
        except OSError:
            return False

    @property
    def has_tokens(self) -> bool:
        """Whether it holds tokens."""
        return os.path.isdir(os.path.join(self.path, _TOKENS)) and bool(self.all_names())

    @property
    def state(self) -> tuple[int, int] | None:
        """A value that changes with the record; None without a record."""
        try:
            status = os.stat(os.path.join(self.path, _RECORD))
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def make(self) -> None:
        """Make the directory; one that holds anything but a session is refused."""
        try:
            made = directory.make(self.path)
        except OSError as exc:
            raise SessionError(
                f"The session's directory {self.path} cannot be made ({exc.strerror}): name one that you can write to."
            ) from None
        if not made and not self.exists and self._has_other_files():
            raise SessionError(f"{self.path} is not a session but has files in it: name another directory.")
        try:
            with self.opened() as handle:
                for file in PROBLEM_FILES.values():
                    os.close(directory.open_file(handle, file))
        except SessionError:
            if made:
                # Empty, unless another process is making the same session.
                with contextlib.suppress(OSError):
                    os.rmdir(self.path)
            raise

    def _has_other_files(self) -> bool:
        """Whether it holds files of others; opening the directory reports what else may be wrong."""
        try:
            names = os.listdir(self.path)
        except OSError:
            return False
        # A process that makes the same session at this moment may have written its first files.
        return bool({name for name in names if not name.startswith(".")} - {*_FOLDERS, *_FILES, SITE})

    @contextlib.contextmanager
    def opened(self) -> t.Iterator[int]:
        """A handle on its directory, which is checked each time."""
        with directory.opened(self.path) as handle:
            yield handle

    @contextlib.contextmanager
    def locked(self, timeout: float = LOCK_TIMEOUT) -> t.Iterator[None]:
        """Hold the session's lock alone: nobody signs in, prepares the session or revokes it meanwhile."""
        lock = self._wait_for_lock(_LOCK, file_lock.EXCLUSIVE, timeout)
        try:
            yield
        finally:
            file_lock.unlock_and_close(lock)

    @contextlib.contextmanager
    def locked_for_changes(self, timeout: float = LOCK_TIMEOUT) -> t.Iterator[None]:
        """Share the session's lock: nobody else prepares the session or revokes it meanwhile, but others sign in."""
        waiter = Waiter(timeout)
        with contextlib.ExitStack() as stack:
            stack.callback(file_lock.unlock_and_close, self._wait_for_lock(_LOCK, file_lock.SHARED, timeout))
            changes = self._wait_for_lock(self._lock_file("changes"), file_lock.EXCLUSIVE, waiter.seconds_left)
            stack.callback(file_lock.unlock_and_close, changes)
            yield

    def signing_in(self, timeout: float) -> int:
        """Share the session's lock: until the handle is unlocked, or all its copies are closed, nobody revokes it."""
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
        """A handle on the lock of an identity or a document; None if another process holds it."""
        return self._try_lock(self._lock_file(name), file_lock.EXCLUSIVE)

    def _lock_file(self, name: str) -> str:
        with self.opened() as handle, directory.subdirectory(handle, _LOCKS):
            pass
        return os.path.join(_LOCKS, f"{name}.lock")

    def _try_lock(self, name: str, kind: int) -> int | None:
        """A handle on a lock; None if another process holds it."""
        with self.opened() as handle:
            try:
                lock = directory.open_file(handle, name)
            except OSError as exc:
                raise SessionError(
                    f"The session {self.path} cannot be locked ({exc.strerror}): free disk space there, or have "
                    "the session in another directory."
                ) from None
            # The session may have been removed meanwhile, and its lock with it: then this one guards nothing.
            with contextlib.suppress(FileNotFoundError):
                if file_lock.try_lock(lock, kind) and os.path.samestat(os.fstat(lock), os.stat(name, dir_fd=handle)):
                    return lock
            file_lock.unlock_and_close(lock)
            return None

    @property
    def is_of_this_format(self) -> bool:
        """Whether it can be used to sign in; sessions of earlier versions are only revoked."""
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
        """Choose whether programs of the run may run in forks of a server."""
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
        """The tokens of an identity that can be read, newest first, and whether these are all."""
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
        """Rename a damaged file, so that it stays on the list for the revoke beside the next one."""
        aside = f"{_TOKENS}/{name}-{secrets.token_hex(4)}.json"
        with self.opened() as handle, contextlib.suppress(FileNotFoundError):
            os.rename(f"{_TOKENS}/{name}.json", aside, src_dir_fd=handle, dst_dir_fd=handle)

    def remove_tokens(self, name: str) -> None:
        file = f"{_TOKENS}/{_file_of(name)}"
        with self.opened() as handle, self.changing(file):
            directory.remove(handle, file)

    def names(self) -> list[str]:
        """The names of the identities with tokens on the list."""
        return [name for name in self.all_names() if not directory.is_temporary(name)]

    def all_names(self) -> list[str]:
        """The same, and the temporary files of writers; that of a writer that was killed stays."""
        with self.opened() as handle:
            found = [name for name in directory.names(handle, _TOKENS) if name.isprintable()]
        # Others were not written by this collection; a name that cannot be printed would break a message.
        records = [name[: -len(".json")] for name in found if name.endswith(".json") and not name.startswith(".")]
        return sorted([*records, *(name for name in found if directory.is_temporary(name))])

    @property
    def closed(self) -> bool:
        with self.opened() as handle:
            return directory.size(handle, _CLOSED) is not None

    def close(self) -> None:
        """From here on nobody signs in with it, until os_token_issue opens it again."""
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
        """Add to a counter of all processes, by appending bytes, as that needs no lock.

        If that cannot be written, nothing is counted: no task fails because of a counter.
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

    def report_problem(self, problem: str) -> None:
        """Have the run warn about it: the output of this process is the result of its task."""
        with contextlib.suppress(SessionError, OSError), self.opened() as handle:
            directory.remove(handle, PROBLEM_FILES[problem])

    def problems(self) -> set[str]:
        with self.opened() as handle:
            return {problem for problem, file in PROBLEM_FILES.items() if directory.size(handle, file) is None}

    def discard(self) -> None:
        """Remove the session's own files, and the directories that are empty then: never a tree."""
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
        # A directory that is missing, or a link, is left as it is.
        with contextlib.suppress(OSError), directory.nested(handle, folder) as inner:
            for name in os.listdir(inner):
                if name.endswith(_OWN_SUFFIXES) or directory.is_temporary(name):
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
                "writable for this user, and free disk space."
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
    """The file of the tokens with this name."""
    return name if directory.is_temporary(name) else f"{name}.json"


def _living_of(record: dict[str, t.Any]) -> LivingToken:
    until, reason = record["until"], record["reason"]
    if not isinstance(reason, str) or not isinstance(until, (str, type(None))):
        raise TypeError("a living token without texts")
    if until is not None:
        clock.parse(until)
    return LivingToken(until, reason)
