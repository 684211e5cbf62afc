"""Scripts: the `export-tasks` command; it parses, opens the parts and calls one method."""
