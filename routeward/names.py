"""What the contract calls a name: of a category, a model, a namespace, a key."""

from typing import Final

NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}"
NAME_IN_WORDS: Final = "1 to 64 characters of A-Z a-z 0-9 . _ : / - that begin with a letter or digit"
