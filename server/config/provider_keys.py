"""The keys of providers: read once, from the environment or from files that only their owner can read."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Final, NamedTuple

from adapters.providers.secret import Secret
from adapters.toml.problems import Finding, Problem
from server.config.providers import Plan

MAX_BYTES: Final = 16_384
_ALONE: Final = "it must hold the key alone, on one line"


class ProviderKeys(NamedTuple):
    """What was found: keys by provider, and what is wrong with files, and with the environment."""

    found: Mapping[str, Secret]
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()

    def usable(self, plans: Mapping[str, Plan]) -> Mapping[str, Plan]:
        """Return the providers that can be called: it is known where they are, and their key is there."""
        ready = (plan for plan in plans.values() if plan.name in self.found or not plan.needs_key)
        return {plan.name: plan for plan in ready if plan.is_placed}


class KeyFileError(Exception):
    """A file holds no key that could be sent; the text never shows what it holds."""


def read_keys(
    plans: Mapping[str, Plan], folder: FilePath, environ: Mapping[str, str], *, listening: bool
) -> ProviderKeys:
    """Read the keys of providers; one that is not set is just not found.

    What is wrong with the environment counts where a gateway is asked for, or a provider has a table: variables of
    presets may be there for others.
    """
    found: dict[str, Secret] = {}
    findings, problems = [], []
    for plan in plans.values():
        try:
            key = _of_file(folder / plan.key_file) if plan.key_file else environ.get(plan.key_env, "").strip()
        except KeyFileError as error:
            findings.append(Finding(("providers", plan.name, "key_file"), f"key_file {error}", _hint(plan)))
            continue
        if key and not _can_be_sent(key):
            if listening or plan.table is not None:
                problems.append(Problem(plan.key_env, "holds no key: it has blanks or unprintable characters", _ALONE))
        elif key:
            found[plan.name] = Secret(key)
    return ProviderKeys(found, tuple(findings), tuple(problems))


def _hint(plan: Plan) -> str:
    return (
        f"write the key of {plan.name} alone into a file, and run  chmod 600 FILE;  relative paths start at this file"
    )


def _of_file(path: FilePath) -> str:
    try:
        # Opened without waiting, as a pipe would have it.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise KeyFileError("names no regular file")
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise KeyFileError("names a file that others can read")
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise KeyFileError("names a file that is not there") from error
    except (OSError, ValueError) as error:
        raise KeyFileError("names a file that cannot be read") from error
    key = content.decode("utf-8", "replace").strip()
    if not key or len(content) > MAX_BYTES or not _can_be_sent(key):
        raise KeyFileError("names a file that does not hold a key alone, on one line")
    return key


def _can_be_sent(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key
