"""Numbers of things, in words."""


def counted(number: int, one: str) -> str:
    """Return a number with what is counted: "1 row", "2,000 rows"."""
    return f"{number:,} {one if number == 1 else f'{one}s'}"
