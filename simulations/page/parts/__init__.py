"""The parts of the page, from the verdict down to the diagnostics."""
