# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in the configuration of a cloud, reported before Keystone is asked."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import typing as t

from .._session.sign_in.openrc import PASSWORD, TOKEN
from .._session.util.errors import ConfigurationError

#: The name in messages of the cloud of a sourced openrc file.
VARIABLES = "the OS_* variables"
#: The option for a user's name, and an older name of it that keystoneauth still takes.
USER_NAMES = ("username", "user_name")
#: Other authentication types in which a user's name needs a domain.
_BY_NAME = ("v3multifactor", "v3totp")


@contextlib.contextmanager
def explained(label: str) -> t.Iterator[None]:
    """Turn the libraries' errors about a configuration into messages."""
    import keystoneauth1.exceptions
    import openstack.exceptions
    import yaml

    try:
        yield
    except yaml.MarkedYAMLError as exc:
        # The line itself may hold the password.
        mark = exc.problem_mark
        where = f"{mark.name} cannot be used because it is not valid YAML near line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{where or 'clouds.yaml is not valid YAML'}: correct it.") from None
    except yaml.YAMLError as exc:
        raise ConfigurationError(
            f"A configuration file is not UTF-8 YAML ({type(exc).__name__}): correct it."
        ) from None
    except keystoneauth1.exceptions.MissingRequiredOptions as exc:
        raise _incomplete(label, [option.dest for option in exc.options]) from None
    except (keystoneauth1.exceptions.ClientException, openstack.exceptions.SDKException) as exc:
        raise ConfigurationError(f"The configuration of {label} cannot be used: {exc}") from None
    except (AttributeError, IndexError, KeyError, OSError, ValueError) as exc:
        # The libraries raise these for a value of an unexpected type; their text may quote the value.
        raise ConfigurationError(
            f"The configuration of {label} cannot be used, because a value in it is not of the type that openstacksdk "
            f"expects ({type(exc).__name__}): check it."
        ) from None
    except TypeError as exc:
        # The constructors of keystoneauth's plugins raise TypeError for an unknown key.
        key = str(exc).rpartition("argument ")[2].strip("'")
        raise ConfigurationError(
            f"The authentication of {label} has {_as_written(label, key) or 'a key'}, which its auth_type does not "
            "take: remove it."
        ) from None


def _incomplete(label: str, missing: list[str]) -> ConfigurationError:
    names = ", ".join(_as_written(label, name) for name in missing)
    if label != VARIABLES:
        return ConfigurationError(f"The credentials of {label} are not complete: add {names}.")
    if "token" in missing:
        return ConfigurationError(
            f"The OS_* variables lack {names}, which OS_AUTH_TYPE needs: unset OS_AUTH_TYPE to sign in with a password."
        )
    why = ""
    if "user_domain_name" in missing and "auth_url" not in missing:
        why = ", which step 3 of the provider's guide unsets"
    elif "password" in missing and os.environ.get("OS_TOKEN"):
        why = ", and OS_TOKEN is used only with OS_AUTH_TYPE=token"
    return ConfigurationError(
        f"The OS_* variables lack {names}{why}: source the openrc file again, or export what is missing."
    )


def _as_written(label: str, key: str) -> str:
    """A key as the user wrote it: as a variable, if the cloud is that of the variables."""
    return f"OS_{key.upper()}" if key and label == VARIABLES else key


def auth_value(config: t.Mapping[str, t.Any], key: str) -> t.Any:
    """A value of the authentication, in auth or beside it, which takes precedence, as in openstacksdk."""
    auth = config.get("auth")
    return config.get(key) or (auth.get(key) if isinstance(auth, dict) else None)


def refuse_incomplete(label: str, config: t.Mapping[str, t.Any]) -> None:
    """Refuse incomplete credentials with which keystoneauth would still send a request."""
    missing = missing_of(config)
    if missing:
        raise _incomplete(label, missing)


def refuse_unusable(label: str, config: t.Mapping[str, t.Any]) -> None:
    """Refuse values that a library would quote in its message."""
    refuse_quoted_verify(label, config.get("verify"), auth_value(config, "auth_url"))
    auth = config.get("auth")
    for key, value in (auth if isinstance(auth, dict) else {}).items():
        # YAML reads an unquoted 2026-01-31 as a date.
        if isinstance(value, (dict, list, datetime.date)) and key != "auth_methods":
            raise ConfigurationError(f"The {key} of {label} is not a text: put it in quotes.")
    url = str(auth_value(config, "auth_url") or "")
    if url and not re.match(r"https?://[^/@{}]+(/[^{}]*)?$", url):
        raise ConfigurationError(
            f"The auth_url of {label} is not an address such as https://auth.example.com/v3, without a user name or a "
            "password in it: correct it."
        )
    by_credential = any(auth_value(config, f"application_credential_{key}") for key in ("id", "name"))
    by_password = (config.get("auth_type") or "password") in PASSWORD
    if by_credential and by_password and not auth_value(config, "password"):
        raise ConfigurationError(
            f"The credentials of {label} are an application credential: set {_as_written(label, 'auth_type')} to "
            "v3applicationcredential."
        )


def missing_of(config: t.Mapping[str, t.Any]) -> list[str]:
    """The missing options. Without a domain, keystoneauth still sends a request, and Keystone answers HTTP 400."""
    auth_type = config.get("auth_type") or "password"
    # One key of each group is enough.
    needs: list[tuple[str, ...]] = []
    if auth_type in PASSWORD:
        needs = [("auth_url",), (*USER_NAMES, "user_id"), ("password",)]
    elif auth_type in TOKEN:
        needs = [("auth_url",), ("token",)]
    # Version 2 of Keystone's API has no domains; issue() reports what to do about that.
    if not str(auth_value(config, "auth_url")).rstrip("/").endswith("/v2.0"):
        domains = ("default_domain_name", "default_domain_id") if auth_type in ("password", "token") else ()
        if auth_type in (*PASSWORD, *TOKEN) and auth_value(config, "project_name"):
            needs.append(("project_domain_name", "project_domain_id", "project_id", "tenant_id", *domains))
        if auth_type in PASSWORD or auth_type in _BY_NAME and any(auth_value(config, key) for key in USER_NAMES):
            needs.append(("user_domain_name", "user_domain_id", "user_id", *domains))
    return [keys[0] for keys in needs if not any(auth_value(config, key) for key in keys)]


def refuse_malformed_file() -> None:
    """Refuse a clouds.yaml that is no YAML, which openstacksdk ignores, or that has no mapping of clouds."""
    import yaml
    from openstack.config import loader

    files = [os.environ.get("OS_CLIENT_CONFIG_FILE", ""), *loader.CONFIG_FILES]
    used = next((path for path in files if os.path.isfile(path) and os.access(path, os.R_OK)), "")
    if not used:
        return
    with open(used, "rb") as stream:
        if used.endswith("json"):
            # Not all JSON is YAML, but the YAML parser reports where an error is.
            with contextlib.suppress(ValueError):
                json.load(stream)
                return
            stream.seek(0)
        content = yaml.safe_load(stream)
    clouds = content.get("clouds") if isinstance(content, dict) else content
    if not isinstance(clouds, (dict, type(None))):
        raise ConfigurationError(f"{used} cannot be used because it has no mapping of clouds: correct it.")


def absent_config_file(environ: t.Mapping[str, str]) -> str:
    """Why the clouds.yaml that a variable names is not used; empty if it is used, or no variable names one."""
    named = environ.get("OS_CLIENT_CONFIG_FILE", "")
    if os.path.isdir(named):
        return f"OS_CLIENT_CONFIG_FILE is {named}, which is a directory: name the file in it"
    if not named or os.path.exists(named):
        return ""
    if named.startswith("~"):
        return f"OS_CLIENT_CONFIG_FILE is {named}, where ~ is not expanded: write the full path"
    return f"OS_CLIENT_CONFIG_FILE is {named}, which does not exist: correct it"


def refuse_quoted_verify(label: str, verify: t.Any, auth_url: t.Any) -> None:
    """Refuse a boolean in quotes: requests takes every string for the path of a file with certificates."""
    is_quoted = isinstance(verify, str) and verify.lower() in ("false", "true", "no", "yes", "off", "on")
    # Without TLS, it does not matter.
    if is_quoted and str(auth_url).startswith("https:"):
        raise ConfigurationError(
            f"The verify of {label} is the text {verify!r}, which is read as the path of a certificate file: write it "
            "without quotes."
        )
