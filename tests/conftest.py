"""Properties draw the same examples in every run."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "routeward", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("routeward")
