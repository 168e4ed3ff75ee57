"""Plugins: code of the operator's own that runs in the front end. docs/findface.md tells how to write one."""
