"""Which category a call is of, where its caller may or may not say."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from server.credentials import Principal
from server.fields import NAME
from server.http.fingerprints import Fingerprints
from server.http.prompts import Prompt, refuse
from server.settings import DEFAULT_CATEGORY, GatewaySettings

AUTO: Final = "auto"


def named_model(model: object) -> tuple[str, str]:
    """Read the field `model`: return the model that it forces and the category that it names, each empty for none."""
    if not isinstance(model, str) or not model:
        refuse("model", "is required: auto, auto/<category>, or the id of a model")
    if model == AUTO:
        return "", ""
    if model.startswith(f"{AUTO}/"):
        category = model.removeprefix(f"{AUTO}/")
        if NAME.fullmatch(category) is None:
            refuse("model", f"is auto/<category>, where the category matches {NAME.pattern}")
        return "", category
    return model, ""


class Categories:
    """Finds the category: what the caller says, else the operator's rules, else the fingerprint.

    Where new categories are not welcome (`strict`) a fingerprint that has no name is of the default category.
    """

    def __init__(self, settings: GatewaySettings, fingerprints: Fingerprints, *, strict: bool) -> None:
        self._rules = settings.rules
        self._names = settings.categories
        self._fingerprints = fingerprints
        self._strict = strict

    def of(self, said: str, headers: Mapping[str, str], prompt: Prompt, caller: Principal) -> str:
        """Return the category of a call; `said` is what its caller says, empty for nothing."""
        if said:
            return said
        for rule in self._rules:
            value = headers.get(rule.header)
            if value is not None and fnmatchcase(value, rule.pattern):
                return rule.category
        fingerprint = self._fingerprints.of(caller.namespace, prompt)
        named = self._names.get(fingerprint)
        if named is not None:
            return named
        return DEFAULT_CATEGORY if self._strict or not fingerprint else fingerprint
