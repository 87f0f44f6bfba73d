"""`python -m conformance.cli`: the same as `chat-conformance`."""

from conformance.cli import main

main()
