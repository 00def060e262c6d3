"""Kinds of values that files have in common, each with the rule it is checked by."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from adapters.names import NAME


@dataclass(frozen=True, slots=True)
class Rule:
    """What a text must look like, in words."""

    words: str


NAME_RULE: Final = Rule("1 to 64 characters of A-Z a-z 0-9 . _ : / - that begin with a letter or digit")

Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$"), NAME_RULE]
FileName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]*$"), Rule("a path")]
UsdPerMtok = Annotated[float, Field(ge=0, le=100_000)]
