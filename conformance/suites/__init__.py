"""The suites: one module a section of the page, one item a requirement.

Run with `pytest --pyargs conformance.suites --target URL --model SLUG`. The items come from the catalogue; the fixture
in `conftest.py` observes the target once and gives each item its verdict.
"""
