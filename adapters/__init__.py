"""Everything that touches the outside: the core knows none of it, the service only through its ports."""
