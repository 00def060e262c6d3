"""The models that can be chosen, with everything about them that is known rather than learned."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Prices:
    """List prices in US dollars per million tokens. Never learned, so a change acts on the next decision."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None

    @property
    def cached_or_input_usd_per_mtok(self) -> float:
        """Price of a prompt token read from the provider's cache; the input price where none is listed."""
        if self.cached_input_usd_per_mtok is None:
            return self.input_usd_per_mtok
        return self.cached_input_usd_per_mtok


@dataclass(frozen=True, slots=True)
class Model:
    """An LLM at a provider: an arm of the bandit.

    `id` is stable: sums are keyed by it, so repricing touches none. `context_tokens` bounds prompt plus
    answer, `max_output_tokens` the answer; None is no known bound. A model that is not enabled keeps its
    sums and is never eligible. `alias_of` is the id that it had before it was renamed: see `bandit.renames`.
    """

    id: str
    prices: Prices
    family: str = ""
    provider: str = ""
    region: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = field(default_factory=frozenset)
    enabled: bool = True
    alias_of: str = ""
