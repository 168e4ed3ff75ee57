"""What ends a command, and with which exit status.

=====  ==========================================================================
0      everything was done
1      something failed: a picture, or what was asked for is not there
2      wrong usage: an argument, a setting or a token
3      the service is away (or what answers is no facerec), also after waiting
130    interrupted from the keyboard
=====  ==========================================================================
"""

from __future__ import annotations

OK, FAILED, USAGE, AWAY, INTERRUPTED = 0, 1, 2, 3, 130


class UsageError(Exception):
    """The command cannot be carried out as it was given."""


class CommandFailed(Exception):
    """The command was carried out and did not succeed. ``code`` is the machine-readable name of why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
