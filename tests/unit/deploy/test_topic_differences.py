"""What counts as a difference between a topic and what it must be."""

from __future__ import annotations

from contracts.topics import TopicNames, TopicSpec, standard_topics
from deploy.topics import FoundTopic, compare, compare_all, partitions_to_want

SPEC = TopicSpec("t", 6, "for this test", {"cleanup.policy": "compact"})


def found(partitions: int = 6, **config: str) -> FoundTopic:
    return FoundTopic("t", partitions, {"cleanup.policy": "compact", **config})


def test_a_topic_as_it_must_be_has_no_difference() -> None:
    assert compare(SPEC, found()) == ()
    assert compare(SPEC, found(unrelated="x")) == ()


def test_a_missing_topic_is_one_difference() -> None:
    (difference,) = compare(SPEC, None)
    assert difference.kind == "missing"
    assert difference.hint == "mgeo topics create"


def test_too_few_partitions_differ_and_more_do_not() -> None:
    assert compare(SPEC, found(7)) == ()
    (difference,) = compare(SPEC, found(5))
    assert difference.sentence == "partitions must be ≥ 6, is 5"


def test_partitions_that_order_rests_on_must_be_exact() -> None:
    fixed = TopicSpec("t", 1, "for this test", fixed_partitions=True)
    assert compare(fixed, FoundTopic("t", 1, {})) == ()
    (difference,) = compare(fixed, FoundTopic("t", 2, {}))
    assert difference.sentence == "partitions must be 1, is 2"


def test_a_setting_that_differs_is_named_with_both_values() -> None:
    topic = FoundTopic("t", 6, {"cleanup.policy": "delete"})
    (difference,) = compare(SPEC, topic)
    assert difference.sentence == "cleanup.policy must be compact, is delete"
    assert "cleanup.policy=compact" in difference.hint


def test_every_standard_topic_is_missing_from_an_empty_cluster() -> None:
    specs = standard_topics(TopicNames())
    assert [d.topic for d in compare_all(specs, {})] == [spec.name for spec in specs]


def test_an_existing_input_sets_the_least_number_of_partitions() -> None:
    names = TopicNames("p.")
    existing = {names.events: FoundTopic(names.events, 12, {})}
    assert partitions_to_want(None, names, {}) == 6
    assert partitions_to_want(3, names, {}) == 3
    assert partitions_to_want(None, names, existing) == 12
    assert partitions_to_want(3, names, existing) == 12
    assert partitions_to_want(24, names, existing) == 24


def test_records_may_be_kept_for_longer_and_not_for_shorter() -> None:
    kept = TopicSpec("t", 1, "for this test", {"retention.ms": "1000"})

    def differences(retention: str) -> int:
        return len(compare(kept, FoundTopic("t", 1, {"retention.ms": retention})))

    assert [differences(text) for text in ("1000", "2000", "-1", "999", "")] == [0, 0, 0, 1, 1]
    for_ever = TopicSpec("t", 1, "for this test", {"retention.ms": "-1"})
    assert len(compare(for_ever, FoundTopic("t", 1, {"retention.ms": "2000"}))) == 1
