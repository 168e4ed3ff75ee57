"""Each module here measures one thing: it prints a table for people and, as its last line, one JSON object."""
