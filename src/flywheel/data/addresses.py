"""Addresses of tables: which of them hold a secret, and texts without it.

A secret comes from the environment alone. Everybody sees what stands in conf/, params.yaml, dvc.lock, a log or a report.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, unquote_plus

from flywheel.errors import ConfigError, FlywheelError

VARIABLE = r"^[A-Z_][A-Z0-9_]*$"  # how an environment variable is called
# What an address hides behind its question mark: by its name, or inside a text for ODBC.
SECRET = re.compile(
    r"(?i)pass(?!file)|pwd|secret|token|(api|access|account|shared)[_-]?key|signature|credential|bearer"
    r"|^(key|sig|sas|o?auth|authorization|jwt)$"
)
INSIDE = re.compile(r"(?i)\b(?:pwd|password|accountkey|secret)\s*=\s*([^;&\s]+)")
ASKED = re.compile(r"[?&#;]([^=?&#;\s]+)=([^&#;\s]*)")
# What is before the @ of a host: a name and a password. A number and what ends it are the port of a host without any.
LOGIN = re.compile(r"://([^/@\s:]*):(?!\d{1,5}[/?#])(.+)@")
LOGIN_ALONE = re.compile(r"(?i)\bhttps?://([^/@\s:?#]+)@")  # where a name alone gives access, it is a token
# A shorter secret is hidden where it stands alone: else what is hidden would show it.
SHORT = 4
FOUND = "found an address with a password or a token; here everybody sees it"
ADVICE = (
    "Put the whole address into an environment variable, and name that as address_env, of a file as path_env. Then change "
    "the password"
)


def holds_secret(address: str) -> bool:
    """Whether an address shows a password, a token, or what else nobody may see."""
    return bool(secrets_of(address))


def secrets_of(address: str) -> list[str]:
    """What of an address nobody may see, as it may be written, the longest first."""
    hidden: list[str] = [*LOGIN_ALONE.findall(address), *INSIDE.findall(address)]
    for login in LOGIN.finditer(address):
        # An @ that should have been written %40 may be the end of the password or not: each part of it is hidden.
        ends = [one.start() for one in re.finditer("@", login[2])]
        hidden += [login[2], *(login[2][:end] for end in ends), *(part for part in login[2].split("@") if part)]
    for name, said in ASKED.findall(address):
        hidden += [said] if SECRET.search(name) else INSIDE.findall(unquote_plus(said))
    found = {*hidden, *map(unquote, hidden), *map(unquote_plus, hidden)} - {""}
    return sorted(found, key=lambda one: (-len(one), one))


def masked(text: str, secrets: Sequence[str]) -> str:
    """A text without secrets."""
    for secret in secrets:
        plain = re.escape(secret)
        text = re.sub(plain if len(secret) >= SHORT else rf"(?<!\w){plain}(?!\w)", "***", text)
    return text


def shown(address: str) -> str:
    """An address without its secrets."""
    return masked(address, secrets_of(address))


@contextmanager
def hidden(secrets: Sequence[str]) -> Iterator[None]:
    """What is wrong in here is said without secrets."""
    try:
        yield
    except FlywheelError as error:
        error.args = tuple(masked(str(one), secrets) for one in error.args)
        if hasattr(error, "found"):
            error.found = masked(error.found, secrets)
        raise error from None


def check_open(values: Mapping[str, Any], fix: str) -> None:
    """ConfigError where a value, however deep, is an address with a secret. It names the key; `fix` says where that is."""
    for key in with_secrets(values):
        raise ConfigError(f"{key}: {FOUND}. {ADVICE}. {fix}")


def with_secrets(values: Mapping[str, Any]) -> list[str]:
    """The dotted keys of values, however deep, that are addresses with a secret."""
    return [key for key, value in _leaves(values) if isinstance(value, str) and holds_secret(value)]


def _leaves(values: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    below = (
        values.items() if isinstance(values, Mapping) else enumerate(values) if isinstance(values, list | tuple) else ()
    )
    for key, value in below:
        name = f"{above}.{key}" if above else str(key)
        yield name, value
        yield from _leaves(value, name)


def address_of(variable: str, key: str = "address_env", example: str = "postgresql://user:password@host/name") -> str:
    """The address in an environment variable. ConfigError where it is empty or unset."""
    found = os.environ.get(variable, "").strip()
    if not found:
        raise ConfigError(
            f"{key}: {variable} is empty or unset. Set this environment variable to the address, such as {example}."
        )
    return found
