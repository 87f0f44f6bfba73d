"""`chat-conformance` and `python -m conformance`: the command line, which takes a while to load."""

import sys


def entered() -> None:
    """Run the command line; an interrupt while it loads ends like every other."""
    try:
        from conformance.cli import main  # noqa: PLC0415  # what is interrupted here is this import
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201  # click may not be there yet
        sys.exit(130)
    main()


if __name__ == "__main__":
    entered()
