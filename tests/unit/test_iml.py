"""The stand-in's expressions: what the app uses works as in Make, all else is refused aloud."""

from __future__ import annotations

from typing import Any

import pytest

from tests.make_app.iml import ImlError, evaluate, is_true, parse, paths

VARIABLES: dict[str, Any] = {
    "body": {"error": "No.", "count": 3, "items": [1], "flag": False, "empty": ""},
    "headers": {"retry-after": "60"},
    "statusCode": 429,
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{body.count}}", 3),
        ("{{ body.count }}", 3),
        ("{{body.items}}", [1]),
        ("{{body.flag}}", False),
        ("{{body.missing}}", None),
        ("{{body.missing.deeper}}", None),
        ("{{body.error.deeper}}", None),
        ("{{headers.`retry-after`}}", "60"),
        ("{{'a' }}", "a"),
        ('{{"it\'s"}}', "it's"),
        ("{{12}}", 12),
        ("{{1.5}}", 1.5),
        ("{{null}}", None),
        ("{{true}}", True),
        ("[{{statusCode}}] {{body.error}}", "[429] No."),
        ("{{body.flag}} {{body.missing}}.", "false ."),
        ("{{body.count}}{{body.count}}", "33"),
        ("{{ifempty(body.missing, 'none')}}", "none"),
        ("{{ifempty(body.empty, body.count)}}", 3),
        ("{{ifempty(body.flag, 'none')}}", False),
        ("{{ifempty(ifempty(null, ''), headers.`retry-after`)}}", "60"),
        ({"a": ["{{body.count}}", 1, None]}, {"a": [3, 1, None]}),
    ],
)
def test_expression_has_its_value(template: Any, value: Any) -> None:
    """A lone expression keeps its type; among text it becomes text."""
    result = evaluate(template, VARIABLES)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{item}}", "there is no variable 'item' here"),
        ("{{ifempty(item, 1)}}", "there is no variable 'item' here"),
        ("{{lower(body.error)}}", "the function 'lower' is unknown"),
        ("{{ifempty(1)}}", "'ifempty' takes 2 arguments"),
        ("{{body.count + 1}}", "unknown or unfinished: '+ 1}}'"),
        ("{{!body.error}}", "unknown or unfinished: '!body.error}}'"),
        ("{{headers.retry-after}}", "unknown or unfinished: '-after}}'"),
        ("{{body.items[1]}}", "unknown or unfinished: '[1]}}'"),
        ("{{body.items", "unknown or unfinished: ''"),
        ("{{'open}}", "unknown or unfinished"),
        ("{{}}", "an expression can't start with '}}'"),
        ("{{body.}}", "a member can't be '}}'"),
        ("{{body.1}}", "a member can't be '1'"),
        ("{{ifempty(1, 2}}", "')' was expected, not '}}'"),
        ("{{1 2}}", "'}}' was expected, not '2'"),
        ("a}}", "}} without {{"),
        ("items: {{body.items}}", "list in the middle of a text"),
        ({"{{...}}": "{{body}}"}, "a computed key, '{{...}}', is unknown here"),
    ],
)
def test_anything_else_is_refused(template: Any, message: str) -> None:
    with pytest.raises(ImlError) as refusal:
        evaluate(template, VARIABLES)
    assert message in str(refusal.value)


def test_value_that_looks_like_an_expression_stays_what_it_is() -> None:
    """Only the app's own texts are expressions."""
    assert evaluate("{{body.error}}", {"body": {"error": "{{connection.apiKey}}"}}) == (
        "{{connection.apiKey}}"
    )


def test_what_a_template_reads_can_be_listed() -> None:
    template = "{{a.b}} and {{ifempty(c, ifempty(d.`e-f`, 'g'))}}"
    assert list(paths(template)) == [("a", "b"), ("c",), ("d", "e-f")]
    assert parse("only text") == ["only text"]


@pytest.mark.parametrize(
    ("value", "truth"),
    [({}, True), ([], True), ("0", True), ("", False), (0, False), (None, False), (False, False)],
)
def test_truth_is_javascripts(value: Any, truth: bool) -> None:
    assert is_true(value) is truth
