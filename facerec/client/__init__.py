"""A client of facerec's REST interface, for programs in Python.

>>> from facerec.client import Client
>>> with Client("http://127.0.0.1:5000", token="...", patience=600) as client:
...     image = client.scan_file("party.jpg")
...     for end in client.wait([image], timeout=60):
...         print(end.state, client.match(end.hash))

docs/command.md tells more; `facerec.client.errors` draws the tree of what may be raised.
"""

from facerec.client.client import Client
from facerec.client.errors import (
    AccessDenied,
    ApiError,
    BadAnswer,
    Busy,
    ClientError,
    Missing,
    Refused,
    ServerFault,
    ServiceAway,
    Unavailable,
    Unreachable,
    WaitTimeout,
)
from facerec.client.watch import End, Watch

__all__ = [
    "AccessDenied",
    "ApiError",
    "BadAnswer",
    "Busy",
    "Client",
    "ClientError",
    "End",
    "Missing",
    "Refused",
    "ServerFault",
    "ServiceAway",
    "Unavailable",
    "Unreachable",
    "WaitTimeout",
    "Watch",
]
