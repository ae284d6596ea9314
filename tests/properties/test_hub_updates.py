"""A model of the hub is new exactly when the store has not got its content."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from consumer.store.hub_client import ListedFile
from consumer.store.hub_revisions import Listing, same_content
from consumer.store.manifest import Architecture, Manifest, ModelSource, StoredFile
from consumer.store.source import HubModel
from consumer.store.updates import added_from, hub_models, judge_update

HUB_ID = "damo/mgeo_geographic_elements_tagging_chinese_base"
TODAY = date(2026, 11, 26)
NEWEST = HubModel(HUB_ID, "f" * 40)
PARTS = ("config.json", "configuration.json", "vocab.txt", "label_mapping.json")


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def listed(name: str, content: str, commit: str = "c1") -> ListedFile:
    return ListedFile(name, len(content), sha256(content), commit, 1.0)


@st.composite
def listings(draw: st.DrawFn) -> dict[str, ListedFile]:
    """A revision of a model: its weights, some of its small files, and what is no part of it."""
    weights = draw(st.sampled_from(["pytorch_model.bin", "model.safetensors"]))
    small = draw(st.sets(st.sampled_from(PARTS)))
    strangers = draw(st.sets(st.sampled_from(["README.md", "modeling.py", "figure.png"])))
    return {name: listed(name, draw(st.text())) for name in (weights, *small, *strangers)}


def stored(number: int, revision: str | None, hub_id: str = HUB_ID) -> Manifest:
    """A version of the store; a larger number was added later."""
    names = ("model.safetensors", "config.json", "vocab.txt", "tokenizer_config.json")
    weights = sha256("weights")
    return Manifest(
        version=f"mgeo-base-r{number}-20260101",
        digest=f"sha256:{weights}",
        source=ModelSource(kind="modelscope", hub_id=hub_id, revision=revision),
        created=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number),
        labels=("O",),
        architecture=Architecture(
            layers=1, hidden_size=1, heads=1, vocabulary=1, positions=1, parameters=1
        ),
        files=tuple(StoredFile(name=name, sha256=weights, size_bytes=1) for name in names),
    )


@given(listings(), st.text())
def test_a_listing_is_the_same_content_whatever_is_no_part_of_the_model(
    listing: Listing, edited: str
) -> None:
    other = {**listing, "README.md": listed("README.md", edited), "new.py": listed("new.py", "x")}
    assert same_content(listing, other)
    assert same_content(other, listing)


@given(listings(), st.data())
def test_one_changed_part_makes_another_model(listing: Listing, data: st.DataObject) -> None:
    weights = {"pytorch_model.bin", "model.safetensors"}
    parts = sorted(name for name in listing if name in {*PARTS, *weights})
    changed = data.draw(st.sampled_from(parts))
    other = {**listing, changed: replace(listing[changed], sha256=sha256("another\x00"))}
    without = {name: file for name, file in listing.items() if name != changed}
    for one, two in ((listing, other), (other, listing), (listing, without), (without, listing)):
        assert not same_content(one, two)


def test_files_without_a_digest_are_the_same_only_by_their_commit() -> None:
    def bare(commit: str | None, size: int = 3) -> dict[str, ListedFile]:
        weights = listed("pytorch_model.bin", "weights")
        return {
            "pytorch_model.bin": weights,
            "vocab.txt": ListedFile("vocab.txt", size, None, commit, 1.0),
        }

    assert same_content(bare("c1"), bare("c1"))
    assert not same_content(bare("c1"), bare("c2"))
    assert not same_content(bare("c1"), bare("c1", size=4))
    assert not same_content(bare(None), bare(None)), "nothing says that these are the same"


def test_nothing_is_the_same_as_a_revision_without_weights() -> None:
    assert not same_content({}, {})


@given(st.lists(listings(), max_size=4), listings(), st.data())
def test_a_model_is_new_exactly_when_no_stored_revision_lists_its_content(
    revisions: list[Listing], newest: Listing, data: st.DataObject
) -> None:
    gone = [data.draw(st.booleans()) for _ in revisions]
    versions = [stored(number, f"{number}" * 40) for number in range(len(revisions))]
    there = {
        version.version: None if lost else listing
        for version, listing, lost in zip(versions, revisions, gone, strict=True)
    }
    latest_first = added_from(NEWEST, data.draw(st.permutations(versions)))
    update = judge_update(NEWEST, newest, latest_first, there, TODAY)

    fits = [
        version.version
        for version, listing, lost in zip(versions, revisions, gone, strict=True)
        if not lost and same_content(listing, newest)
    ]
    assert update.new is (not fits)
    assert update.known_as == (fits[-1] if fits else None), "the latest one is named"
    assert (update.version is None) is bool(fits)
    assert set(update.unlisted) == {
        v.version for v, lost in zip(versions, gone, strict=True) if lost
    }


@given(listings())
def test_the_same_revision_is_known_though_nothing_was_listed_for_it(newest: Listing) -> None:
    version = stored(1, NEWEST.revision)
    assert judge_update(NEWEST, newest, [version], {}, TODAY).known_as == version.version


def test_a_new_model_gets_a_name_of_revision_and_day() -> None:
    weights = {"pytorch_model.bin": listed("pytorch_model.bin", "weights")}
    assert judge_update(NEWEST, weights, [], {}, TODAY).version == "mgeo-base-ffffffffffff-20261126"


def test_twins_of_one_name_are_one_model_and_others_are_not() -> None:
    twin = HUB_ID.replace("damo/", "iic/")
    manifests = [
        stored(1, "a" * 40),
        stored(2, "b" * 40, twin),
        stored(3, "c" * 40, "acme/mgeo"),
        stored(4, None).model_copy(update={"source": ModelSource(kind="directory")}),
    ]
    assert hub_models(manifests) == [HubModel("acme/mgeo"), HubModel(twin)]
    assert [m.version for m in added_from(HubModel(HUB_ID), manifests)] == [
        "mgeo-base-r2-20260101",
        "mgeo-base-r1-20260101",
    ]
