"""From the texts of the environment to the values of settings. A wrong text is a ValueError, which says what it must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from facerec.errors import ConfigError

Network = IPv4Network | IPv6Network
T = TypeVar("T")


class Secret:
    """A text that does not show itself; `reveal` gives it to whoever really needs it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret('***')" if self._text else "Secret('')"


Address = tuple[str, int]
"""Host and port."""


class Environment:
    """Settings as texts, by the names of their variables; ``asked`` gains each name that is looked up."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.asked: set[str] = set()

    def _text(self, name: str) -> str:
        self.asked.add(name)
        return self._environ.get(name, "")

    def get(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """The parsed value of ``name``; an empty text counts as not set."""
        text = self._text(name)
        if text == "":
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise ConfigError(f"{name}={text!r}: {error}") from error

    def secret(self, name: str) -> Secret:
        file, text = self._text(f"{name}_FILE"), self._text(name)
        if not file:
            return Secret(text)
        try:
            return Secret(Path(file).read_text(encoding="utf-8").strip())
        except OSError as error:
            raise ConfigError(f"{name}_FILE={file!r}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name}_FILE={file!r}: is no UTF-8 text") from error


def at_least(low: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < low:
            raise ValueError(f"must be at least {low}")
        return value

    return parse


def between(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(f"must be between {low:g} and {high:g}")
        return value

    return parse


def entry(text: str) -> str:
    module, colon, factory = text.partition(":")
    if not colon or not factory.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise ValueError("must be module:factory")
    return text


def one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return text

    return parse


def auto(parse: Callable[[str], T], automatic: T) -> Callable[[str], T]:
    return lambda text: automatic if text == "auto" else parse(text)


def port_number(text: str) -> int:
    value = int(text)
    if not 0 < value < 65536:
        raise ValueError("must be a port number")
    return value


def host_name(text: str) -> str:
    if any(sign.isspace() or sign in "/@" for sign in text):
        raise ValueError("must be a host name or an address")
    return text


def public_url(text: str) -> str:
    """The address that clients call, without a slash at its end: what follows begins with one."""
    parts = urlsplit(text)
    whole = text.isascii() and text.isprintable() and not set(text) & set(' ?#@\\<>"')
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or not whole:
        raise ValueError("must be http:// or https:// and a host, without user, query and fragment")
    return text.rstrip("/")


def addresses(usual: int) -> Callable[[str], tuple[Address, ...]]:
    """``host:port,host,[::1]:port``; ``usual`` is the port of those without one."""

    def parse(text: str) -> tuple[Address, ...]:
        found = tuple(address(part, usual) for part in names(text))
        if not found:
            raise ValueError("must name at least one host")
        return found

    return parse


def address(text: str, usual: int) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(usual)
    return host_name(host.strip("[]")), port_number(port)


def flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("must be true or false")


def image_store(text: str) -> str:
    if text != "none" and not text.startswith(("file:///", "s3://", "memory://")):
        raise ValueError("must be none, or begin with file:/// or s3://")
    return text


def networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def timezone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except ZoneInfoNotFoundError as error:
        raise ValueError("is no time zone, as Europe/Berlin is one") from error


def names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in names(text))


def log_level(text: str) -> str:
    return one_of("DEBUG", "INFO", "WARNING", "ERROR")(text.upper())
