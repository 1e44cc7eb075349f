"""Is every rule said in words with its source, and each change of a document found?"""

from __future__ import annotations

import pytest

from alerts.plain_words import differences, in_words
from alerts.policy import parse, shipped, shipped_names


@pytest.mark.parametrize("name", shipped_names())
def test_every_rule_is_said_in_words_with_its_source(name: str) -> None:
    document = shipped(name).document
    said = in_words(document)
    assert [rule.name for rule in said] == [rule.name for rule in document.rules]
    for rule in said:
        assert rule.when
        assert rule.source
        assert "None" not in str(rule.when) + str(rule.how)
    assert differences(document, document) == []


def test_each_change_of_a_document_is_found() -> None:
    text = shipped("pulse_oximetry_home").text
    before = shipped("pulse_oximetry_home").document
    found = differences(
        before, parse(text.replace("amber = 94", "amber = 93").replace('every = "8 h"', 'every = "6 h"')).document
    )
    assert {(d.rule, d.what, d.before, d.after) for d in found} == {
        ("Low oxygen saturation", "amber", "94", "93"),
        ("No oxygen saturation", "every", "8 h", "6 h"),
    }
