"""The `facerec` command: ``python -m facerec <what>``."""

from __future__ import annotations

from facerec.cli.app import run


def main() -> None:
    """Run the command; ends the process with its exit status."""
    run()


if __name__ == "__main__":
    main()
