"""Which functions are entered, by which the gate for mutants picks the checks that could tell one."""

import sys

from conformance.checks import request
from proof.mutants.reach import entering, made_by


def _outer() -> list[int]:
    def inner(number: int) -> int:
        return number

    return sorted((2, 1), key=lambda each: -inner(each))


def test_what_is_entered_is_named_as_a_mutant_names_it() -> None:
    before = sys.gettrace()
    with entering() as entered:
        _outer()

    assert {name for file, name in entered if file == __file__} == {"_outer", "_outer.inner"}
    assert sys.gettrace() is before


def test_a_check_that_is_made_by_a_function_enters_it_at_import() -> None:
    file = str(request.__file__)

    assert (file, "accepted") in made_by()
    assert (file, "accepted.find") not in made_by()
    assert (file, "endpoint_answers") not in made_by()
