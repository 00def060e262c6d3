"""Put the service packages into the wheel as `routeward/_app/`, so that it installs one name only."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SERVICE_PACKAGES = ("server", "bandit", "adapters", "simulations")


class ServicePackagesHook(BuildHookInterface[Any]):
    """Adds the service packages to standard wheels; editable installs see them in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Declare the folders to include."""
        if version == "standard":
            build_data["force_include"] |= {name: f"routeward/_app/{name}" for name in SERVICE_PACKAGES}
