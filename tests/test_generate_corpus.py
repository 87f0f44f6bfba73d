import json
from collections import Counter
from importlib.metadata import version
from typing import Any

import pytest

from conformance import schema
from conformance.generate import corpus
from conformance.generate.corpus import cases
from conformance.generate.defects import BASES, Grade, grade_of, single_defects
from conformance.probe import MODEL
from conformance.server import admission
from conformance.server.generation import Refused
from conformance.server.site import Site
from corpus import schemathesis_cases

GOOD = [case for case in cases() if not case.refused]
BROKEN = [case for case in cases() if case.refused]
SLUG = "reference/mini"


def sent(body: Any) -> bytes:
    """What goes over the wire."""
    return json.dumps(body, default=lambda blank: SLUG if blank is MODEL else None).encode()


def admitted(body: Any) -> bool:
    """Whether the reference server takes the request, by the schema and by what no schema can say."""
    document = admission.parsed(sent(body))
    try:
        admission.validate(document)
        admission.keep_rules(document)
        admission.admitted(document, admission.route(document, Site()))
    except Refused:
        return False
    return True


def test_there_are_good_cases_and_broken_ones_of_each_grade() -> None:
    assert len(GOOD) > 30
    assert len(BROKEN) > 200
    assert {case.grade for case in BROKEN} == set(Grade)
    assert {case.grade for case in GOOD} == {Grade.STATED, Grade.OPEN}


def test_no_two_cases_have_one_name_or_one_body() -> None:
    assert Counter(case.name for case in cases()).most_common(1)[0][1] == 1
    assert Counter(sent(case.body) for case in cases()).most_common(1)[0][1] == 1


def test_no_case_asks_what_a_derived_defect_asks() -> None:
    assert {sent(case.body) for case in cases()} & {sent(defect.body) for defect in single_defects()} == set()


def test_a_good_case_keeps_the_schema_and_the_rules_beyond_it() -> None:
    for case in GOOD:
        assert schema.defects("request.schema.json", json.loads(sent(case.body))) == (), case.name
        assert admitted(case.body), case.name


def test_a_good_case_asks_the_target_s_model_for_two_tokens_at_most() -> None:
    assert {case.body["model"] for case in GOOD} == {MODEL}
    assert {case.body["max_tokens"] for case in GOOD} <= {1, 2}


def test_a_good_case_is_a_conversation_that_waits_for_an_answer() -> None:
    for case in GOOD:
        *_, last = case.body["messages"]
        calls = [call["id"] for message in case.body["messages"] for call in message.get("tool_calls") or ()]
        results = [message["tool_call_id"] for message in case.body["messages"] if message["role"] == "tool"]

        assert last["role"] in {"user", "tool"}, case.name
        assert results == calls, case.name
        assert '""' not in sent(case.body["messages"]).decode(), case.name


def test_a_broken_case_has_one_defect_of_the_grade_that_it_is_given() -> None:
    for case in BROKEN:
        graded = grade_of(json.loads(sent(case.body)))

        assert graded is not None, case.name
        assert graded[0] is case.grade, case.name


def test_a_broken_case_is_refused_by_the_reference_server_unless_the_page_leaves_it_open() -> None:
    assert [case.name for case in BROKEN if case.grade is not Grade.OPEN and admitted(case.body)] == []


def test_the_defect_of_a_broken_case_is_where_schemathesis_put_it() -> None:
    for case in BROKEN:
        (defect,) = schema.defects("request.schema.json", json.loads(sent(case.body)))
        *_, name = [step for step in defect.pointer.split("/") if not step.isdigit()]

        assert name in case.where.split("/"), case.name


def test_a_case_needs_of_the_model_what_its_base_needs() -> None:
    assert {case.base for case in cases()} <= set(BASES)
    for case in GOOD:
        text = json.dumps(case.body, default=str)
        assert ("image" in text) == (case.base == "image"), case.name
        assert ("audio" in text) == (case.base == "sound"), case.name


def test_placeholders_stand_for_what_they_are_replaced_by() -> None:
    texts = [json.dumps(case.body, default=str) for case in cases()]

    assert not any(word in text for word in (*corpus.PLACEHOLDERS, corpus.SLUG) for text in texts)
    for meant in corpus.PLACEHOLDERS.values():
        assert any(meant in text for text in texts)


def test_what_was_left_out_is_counted_with_its_reason() -> None:
    told = json.loads((schemathesis_cases.ROOT / "conformance" / "generate" / corpus.FILE).read_text(encoding="utf-8"))

    assert all(number > 0 for number in told["dropped"].values())
    assert any("method" in reason for reason in told["dropped"])
    assert any("Content-Type" in reason for reason in told["dropped"])


@pytest.mark.skipif(
    corpus.made_by() != f"schemathesis {version('schemathesis')}",
    reason=f"the corpus was made by {corpus.made_by()}, and another version is installed",
)
def test_the_corpus_is_what_nox_s_corpus_would_make() -> None:
    file = schemathesis_cases.ROOT / "conformance" / "generate" / corpus.FILE

    assert file.read_text(encoding="utf-8") == schemathesis_cases.made(), "make it anew: nox -s corpus"
