"""The report: what `routeward evaluate` and `routeward replay` found, as one HTML file, as JSON and as CSV."""
