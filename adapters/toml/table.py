"""What a table of a file is made of."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of a file: keys that it does not know are errors, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
