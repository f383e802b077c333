# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session on disk: the one place where its files are read and written."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import secrets
import typing as t
import urllib.parse

from . import clock, directory, site
from .config_files import ConfigFiles
from .errors import SessionClosedError, SessionDamagedError, SessionError
from .pacing import Waiter
from .renewal import RenewalPolicy
from .source import Source
from .token import Tls, Token, TokenId

FORMAT = 1
_SOURCE = "source.json"
_CLOUDS = "clouds.yaml"
_TOKENS = "tokens"
_LOCK = "lock"
_CLOSED = "closed.json"
OWNERS = "owners"
IN_USE = "in-use"
FINISHING = "finishing"
AUTHENTICATIONS = "authentications"
#: How long one process waits for another that holds the session's lock, in seconds.
LOCK_TIMEOUT = 300
_LOCK_POLL = 0.05
#: How the sessions are called that a run makes for itself, as opposed to those that a user named.
_RUN_PREFIX = "run-"
#: Folders of site/, innermost first: Python leaves its compiled files beside the plugin's own.
_SITE_FOLDERS = (
    f"site/{site.PACKAGE}/__pycache__",
    f"site/{site.PACKAGE}",
    f"site/{site.DISTRIBUTION}",
    "site",
)
_OWN_NAMES = {_SOURCE, _CLOUDS, _TOKENS, _LOCK, _CLOSED, OWNERS, IN_USE, FINISHING, AUTHENTICATIONS, "site"}
#: What reading a file raises that does not hold what this collection wrote into it.
_DAMAGE = (OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_OWN_ENDINGS = (".json", ".py", ".pyc", "METADATA", "entry_points.txt")


@dataclasses.dataclass(frozen=True)
class StoredTokens:
    """What a session holds for one cloud: the token in use, and those that it took the place of."""

    current: Token
    replaced: tuple[Token, ...] = ()

    @property
    def newest_first(self) -> tuple[Token, ...]:
        return (self.current, *self.replaced)


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why issuing failed, kept so that not every process asks Keystone again to hear the same."""

    message: str
    at: str
    #: The credentials were refused: a process does not try them again by itself.
    final: bool


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


def last_end(tokens: t.Sequence[LivingToken]) -> str | None:
    """When the last of these tokens ends; None if there is none, or if that is not known of one."""
    ends = [token.until for token in tokens]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


@dataclasses.dataclass
class SessionRecord:
    """What a session knows of itself, besides tokens: no secret is in it."""

    files: ConfigFiles
    sources: dict[str, Source]
    policy: RenewalPolicy
    #: Requests to Keystone made for this session so far.
    keystone_requests: int = 0
    tokens_issued: int = 0
    #: Requests that signing in took the last time.
    sign_in_requests: int = 0
    #: The Python that signed in, and so can sign in and revoke: the one of the run itself may have no openstacksdk.
    interpreter: str = ""
    #: Why the last try to issue a cloud's token failed.
    failures: dict[str, Failure] = dataclasses.field(default_factory=dict)
    #: Whether it is the session of whole runs, which revoke it at their end.
    of_runs: bool = False
    #: The clouds that sign in with the session; all where it is None.
    clouds: list[str] | None = None
    #: Whether a process uses the user's own credentials where no token can be issued.
    fallback: bool = False
    #: The tokens that Keystone refuses to revoke, which the session does not hold any more.
    living: list[LivingToken] = dataclasses.field(default_factory=list)

    def source(self, cloud: str) -> Source | None:
        """Where a cloud's credentials come from; a cloud that no one issued yet comes from the config files."""
        if cloud in self.sources:
            return self.sources[cloud]
        return Source("config", cloud, self.files) if self.files.clouds or self.files.secure else None


class Session:
    """A run's borrowed identity, in a directory of its own."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Session({self.path!r})"

    @classmethod
    def named(cls, name: str | None, environ: t.Mapping[str, str]) -> Session:
        """The session of this name or path; the one of the environment, or a new one, when it has none."""
        if not name:
            return cls.of_environment(environ) or cls.new(environ)
        path = os.path.expanduser(name)
        if not directory.fits_search_path(path):
            raise SessionError(f"{name!r} cannot be a session: PYTHONPATH, which leads to it, cannot hold that name.")
        if os.path.isabs(path):
            return cls(os.path.normpath(path))
        if os.sep in path or path in (".", ".."):
            raise SessionError(f"{name!r} cannot be a session: give a plain name, or an absolute path.")
        return cls(os.path.join(directory.default_base(environ), path))

    @classmethod
    def new(cls, environ: t.Mapping[str, str], base: str | None = None) -> Session:
        """One for a run by itself, not made yet."""
        base = os.path.abspath(base or directory.default_base(environ))
        if not directory.fits_search_path(base):
            raise SessionError(
                f"{base!r} cannot have sessions: PYTHONPATH, which leads to them, cannot hold that name."
            )
        return cls(os.path.join(base, f"{_RUN_PREFIX}{secrets.token_hex(8)}"))

    @classmethod
    def of_environment(cls, environ: t.Mapping[str, str]) -> Session | None:
        """The session that was injected into this process."""
        clouds = environ.get("OS_CLIENT_CONFIG_FILE", "")
        path = os.path.dirname(clouds)
        session = cls(path)
        is_one = os.path.basename(clouds) == _CLOUDS and session.exists
        return session if is_one and os.path.isdir(os.path.join(session.site, site.PACKAGE)) else None

    @property
    def is_of_one_run(self) -> bool:
        """Whether a run made it for itself."""
        return os.path.basename(self.path).startswith(_RUN_PREFIX)

    @property
    def clouds_file(self) -> str:
        return os.path.join(self.path, _CLOUDS)

    @property
    def site(self) -> str:
        return os.path.join(self.path, "site")

    @property
    def exists(self) -> bool:
        return os.path.lexists(os.path.join(self.path, _SOURCE))

    @property
    def has_tokens(self) -> bool:
        """Whether there are tokens on its list."""
        return os.path.isdir(os.path.join(self.path, _TOKENS)) and bool(self.clouds_with_tokens())

    @property
    def state(self) -> tuple[int, int] | None:
        """Something that is another after every change of the record; None when there is none."""
        try:
            status = os.stat(os.path.join(self.path, _SOURCE))
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
            with self.opened():
                pass
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
        return bool({name for name in names if not name.startswith(".")} - _OWN_NAMES)

    @contextlib.contextmanager
    def opened(self) -> t.Iterator[int]:
        """A handle on its directory, which is checked each time."""
        with directory.opened(self.path) as handle:
            yield handle

    @contextlib.contextmanager
    def locked(self, timeout: float = LOCK_TIMEOUT) -> t.Iterator[None]:
        """Keep others from issuing, renewing and revoking meanwhile."""
        waiter = Waiter(timeout)
        lock = self._try_lock()
        while lock is None:
            if not waiter.pause(_LOCK_POLL):
                raise SessionError(
                    f"The session {self.path} is still locked by another process after {timeout:.0f} s: see what "
                    "holds it, then try again."
                )
            lock = self._try_lock()
        try:
            yield
        finally:
            os.close(lock)

    def _try_lock(self) -> int | None:
        """The lock's handle, None when another process has it."""
        with self.opened() as handle:
            try:
                lock = directory.open_file(handle, _LOCK)
            except OSError as exc:
                raise SessionError(
                    f"The session {self.path} cannot be locked ({exc.strerror}): make room for a file there, or have "
                    "the session in another directory."
                ) from None
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The session may have been removed in between, and its lock with it: then this one guards nothing.
                if os.path.samestat(os.fstat(lock), os.stat(_LOCK, dir_fd=handle)):
                    return lock
            except (BlockingIOError, FileNotFoundError):
                pass
            os.close(lock)
            return None

    def read_record(self) -> SessionRecord:
        with self.opened() as handle:
            data = self._read_json(handle, _SOURCE)
        if data is None:
            raise SessionError(f"{self.path} is not a session: issue one with os_token_issue.")
        if data.get("format") != FORMAT:
            raise SessionError(
                f"The session {self.path} was written by another version of this collection: issue a new one."
            )
        with self._undamaged(_SOURCE):
            return SessionRecord(
                ConfigFiles(**data["files"]),
                {cloud: Source.of_record(record) for cloud, record in data["sources"].items()},
                RenewalPolicy(**data["renewal"]),
                _typed(data["keystone_requests"], int),
                _typed(data["tokens_issued"], int),
                _typed(data["sign_in_requests"], int),
                _typed(data["interpreter"], str),
                {cloud: Failure(**failure) for cloud, failure in data["failures"].items()},
                data["of_runs"],
                data["clouds"],
                data["fallback"],
                # Versions before did not write it.
                [_living_of(record) for record in data.get("living", [])],
            )

    def write_record(self, record: SessionRecord) -> None:
        data = {
            "format": FORMAT,
            "files": dataclasses.asdict(record.files),
            "sources": {cloud: source.record() for cloud, source in record.sources.items()},
            "renewal": dataclasses.asdict(record.policy),
            "keystone_requests": record.keystone_requests,
            "tokens_issued": record.tokens_issued,
            "sign_in_requests": record.sign_in_requests,
            "interpreter": record.interpreter,
            "failures": {cloud: dataclasses.asdict(failure) for cloud, failure in record.failures.items()},
            "of_runs": record.of_runs,
            "clouds": record.clouds,
            "fallback": record.fallback,
            "living": [dataclasses.asdict(token) for token in record.living],
        }
        with self.opened() as handle:
            directory.write(handle, _SOURCE, json.dumps(data, indent=2))

    def read_clouds(self) -> str | None:
        with self.opened() as handle:
            return directory.read(handle, _CLOUDS)

    def write_clouds(self, text: str) -> None:
        with self.opened() as handle:
            directory.write(handle, _CLOUDS, text)

    def write_site(self, files: t.Mapping[str, str]) -> None:
        """Put the keystoneauth plugin in place; files that are as shipped stay as they are."""
        with self.opened() as handle, directory.subdirectory(handle, "site") as folders:
            for name, text in files.items():
                folder, _slash, file = name.partition("/")
                with directory.subdirectory(folders, folder) as inner:
                    if directory.read(inner, file) != text:
                        directory.write(inner, file, text)
            # Made by the superuser later, under become, its owner could not clear it away.
            with (
                directory.subdirectory(folders, site.PACKAGE) as package,
                directory.subdirectory(package, "__pycache__"),
            ):
                pass

    def read_tokens(self, cloud: str) -> StoredTokens | None:
        with self.opened() as handle, directory.subdirectory(handle, _TOKENS) as tokens:
            data = self._read_json(tokens, _token_file(cloud))
        if data is None:
            return None
        with self._undamaged(_token_file(cloud)):
            return StoredTokens(_token_of(data["current"]), tuple(_token_of(token) for token in data["replaced"]))

    def readable_tokens(self, cloud: str) -> tuple[list[Token], bool]:
        """The tokens on a cloud's list as far as they can be read, newest first, and whether these are all."""
        try:
            with self.opened() as handle, directory.subdirectory(handle, _TOKENS) as tokens:
                data = self._read_json(tokens, _token_file(cloud))
        except SessionDamagedError:
            return [], False
        if data is None:
            return [], True
        replaced = data.get("replaced")
        records = [data.get("current"), *(replaced if isinstance(replaced, list) else [])]
        readable = []
        for record in records:
            with contextlib.suppress(*_DAMAGE):
                readable.append(_token_of(record))
        return readable, isinstance(replaced, list) and len(readable) == len(records)

    def write_tokens(self, cloud: str, stored: StoredTokens) -> None:
        data = {
            "format": FORMAT,
            "current": _record_of(stored.current, stored.current.body),
            # Of a token that only waits to be revoked, the catalog is of no use any more.
            "replaced": [_record_of(token, _without_catalog(token.body)) for token in stored.replaced],
        }
        with self.opened() as handle, directory.subdirectory(handle, _TOKENS) as tokens:
            directory.write(tokens, _token_file(cloud), json.dumps(data))

    def remove_tokens(self, cloud: str) -> None:
        with self.opened() as handle, directory.subdirectory(handle, _TOKENS) as tokens:
            directory.remove(tokens, _token_file(cloud))

    def clouds_with_tokens(self) -> list[str]:
        with self.opened() as handle, directory.subdirectory(handle, _TOKENS) as tokens:
            names = os.listdir(tokens)
        clouds = {name: urllib.parse.unquote(name.removesuffix(".json")) for name in names if name.isascii()}
        # What has another name, this collection did not write.
        return sorted(cloud for name, cloud in clouds.items() if _token_file(cloud) == name)

    @property
    def closed(self) -> bool:
        with self.opened() as handle:
            try:
                os.stat(_CLOSED, dir_fd=handle, follow_symlinks=False)
            except FileNotFoundError:
                return False
            return True

    def close(self) -> None:
        """From here on nothing is issued into it, unless os_token_issue opens it again."""
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

    def discard(self) -> None:
        """Remove the session's own files, then the directories that this leaves empty: never a tree."""
        with self.opened() as handle:
            for folder in (_TOKENS, OWNERS, *_SITE_FOLDERS):
                self._discard_folder(handle, folder)
            temporary = [name for name in os.listdir(handle) if directory.is_temporary(name)]
            for name in (*temporary, IN_USE, FINISHING, AUTHENTICATIONS, _CLOUDS, _CLOSED, _LOCK, _SOURCE):
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
        with self._undamaged(name):
            text = directory.read(handle, name)
            return None if text is None else dict(json.loads(text))

    @contextlib.contextmanager
    def _undamaged(self, name: str) -> t.Iterator[None]:
        """Put it into a sentence when a file does not hold what this collection wrote into it."""
        try:
            yield
        except _DAMAGE:
            raise SessionDamagedError(
                f"The file {name} of the session {self.path} is damaged: remove the session's directory, in which case "
                "its token lives until it expires, and issue a new one."
            ) from None


def _token_file(cloud: str) -> str:
    # A name of any characters stays one file of the directory, and none that starts with a dot.
    return urllib.parse.quote(cloud, safe=" ").replace(".", "%2E") + ".json"


def _record_of(token: Token, body: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "token": token.id.reveal(),
        "auth_url": token.auth_url,
        "token_url": token.token_url,
        "obtained_at": token.obtained_at.isoformat(),
        "tls": dataclasses.asdict(token.tls),
        "renewable": token.renewable,
        "body": body,
    }


def _token_of(record: dict[str, t.Any]) -> Token:
    tls = Tls(**record["tls"])
    _typed(tls.verify, bool, str)
    if isinstance(tls.cert, list):
        certificate, key = tls.cert
        tls = Tls(tls.verify, (_typed(certificate, str), _typed(key, str)))
    else:
        _typed(tls.cert, str, type(None))
    return Token(
        TokenId(record["token"]),
        _typed(record["body"], dict),
        _typed(record["auth_url"], str),
        clock.parse(record["obtained_at"]),
        tls,
        _typed(record["renewable"], bool),
        # Versions before did not write it.
        _typed(record.get("token_url"), str, type(None)),
    )


def _living_of(record: dict[str, t.Any]) -> LivingToken:
    living = LivingToken(_typed(record["until"], str, type(None)), _typed(record["reason"], str))
    if living.until is not None:
        clock.parse(living.until)
    return living


def _typed(value: t.Any, *types: type) -> t.Any:
    if not isinstance(value, types):
        raise TypeError(f"a {type(value).__name__} where there is none")
    return value


def _without_catalog(body: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in body.items() if key != "catalog"}
