"""Which numbers make sense as options: what lies outside would overflow, take years, or say nothing."""

from typing import Final

from simulations.errors import OptionsError

REQUESTS: Final = (1, 10_000_000)
REQUESTS_PER_SECOND: Final = (0.001, 1_000_000)
ANSWER_VALUE_USD: Final = (0.000_001, 1_000_000)
SECOND_VALUE_USD: Final = (0, 1_000_000)
SEED: Final = (0, 2**63 - 1)


def check_range(option: str, value: float, limits: tuple[float, float]) -> None:
    """Raise OptionsError, naming the option, unless the value lies within the limits; NaN lies nowhere."""
    low, high = limits
    if not low <= value <= high:
        raise OptionsError(f"{option} is {value:,}; give {low:,} to {high:,}")
