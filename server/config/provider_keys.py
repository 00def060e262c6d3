"""The keys of providers: read once, from the environment or from files that only their owner can read."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Final, NamedTuple

from adapters.providers.secret import Secret
from adapters.toml.problems import Finding, Problem
from server.config.providers import Plan
from server.key_files import KeyFileError, read_entries

_ALONE: Final = "it must hold the key alone, on one line"


class ProviderKeys(NamedTuple):
    """What was found: keys by provider, and what is wrong with files, and with the environment.

    `absent` are the files that are not there, which only a server needs.
    """

    found: Mapping[str, Secret]
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    absent: tuple[Finding, ...] = ()

    def usable(self, plans: Mapping[str, Plan]) -> Mapping[str, Plan]:
        """Return the providers that can be called: it is known where they are, and their key is there."""
        ready = (plan for plan in plans.values() if plan.name in self.found or not plan.needs_key)
        return {plan.name: plan for plan in ready if plan.is_placed}


def read_keys(
    plans: Mapping[str, Plan], folder: FilePath, environ: Mapping[str, str], *, listening: bool
) -> ProviderKeys:
    """Read the keys of providers; one that is not set is just not found.

    What is wrong with the environment counts where a gateway is asked for, or a provider has a table: variables of
    presets may be there for others.
    """
    found: dict[str, Secret] = {}
    findings: list[Finding] = []
    absent: list[Finding] = []
    problems: list[Problem] = []
    for plan in plans.values():
        try:
            key = _of_file(folder / plan.key_file) if plan.key_file else environ.get(plan.key_env, "").strip()
        except (FileNotFoundError, KeyFileError) as error:
            told = absent if isinstance(error, FileNotFoundError) else findings
            told.append(Finding(("providers", plan.name, "key_file"), f"key_file: {error}", _hint(plan)))
            continue
        if key and not _can_be_sent(key):
            if listening or plan.table is not None:
                problems.append(Problem(plan.key_env, "holds no key: it has blanks or unprintable characters", _ALONE))
        elif key:
            found[plan.name] = Secret(key)
    return ProviderKeys(found, tuple(findings), tuple(problems), tuple(absent))


def _hint(plan: Plan) -> str:
    return f"write the key of {plan.name} alone into it, and run  chmod 600 FILE;  relative paths start at this file"


def _of_file(path: FilePath) -> str:
    """Return the key that a file holds. Raises KeyFileError.

    Raises FileNotFoundError too, which does not name the file: it may be a key.
    """
    try:
        lines = [line.strip() for line in read_entries(path)]
    except (FileNotFoundError, ValueError) as error:
        raise FileNotFoundError("there is no such file") from error
    match [line for line in lines if line]:
        case [key] if _can_be_sent(key):
            return key
    raise KeyFileError(f"{path} does not hold a key alone, on one line")


def _can_be_sent(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key
