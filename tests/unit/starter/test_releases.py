"""The releases in the package are whole, small, and what their manifests say."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from consumer.starter.generator.addresses import take
from consumer.starter.known import known_addresses
from consumer.starter.recipes import RECIPES
from consumer.store.manifest import MANIFEST_NAME, parse_manifest

ROOT = Path(__file__).parents[3]
RELEASES = ROOT / "consumer/starter/releases"
VERSIONS = [recipe.version for recipe in RECIPES]
LARGEST_BYTES = 8_000_000


@pytest.mark.parametrize("version", VERSIONS)
def test_files_are_those_of_the_manifest_and_small(version: str) -> None:
    directory = RELEASES / version
    manifest = parse_manifest((directory / MANIFEST_NAME).read_bytes(), version=version)
    for file in manifest.files:
        content = (directory / file.name).read_bytes()
        assert len(content) == file.size_bytes
        assert hashlib.sha256(content).hexdigest() == file.sha256
    assert manifest.size_bytes <= LARGEST_BYTES
    assert manifest.temperature is not None
    assert manifest.source.kind == "trained"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_release_is_a_checkpoint_as_the_hub_has_them(version: str) -> None:
    directory = RELEASES / version
    config = json.loads((directory / "config.json").read_bytes())
    assert config["gis_embedding"] == 0
    assert config["fusion_layer"] == config["num_hidden_layers"]
    configuration = json.loads((directory / "configuration.json").read_bytes())
    assert configuration["model"]["type"] == "mgeo"
    vocabulary = (directory / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert len(vocabulary) == config["vocab_size"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_card_reports_figures_calibration_the_fifty_and_limits(version: str) -> None:
    card = (RELEASES / version / "README.md").read_text(encoding="utf-8")
    for heading in ("What it is good for", "Data", "Recipe", "Figures", "Calibration", "Fifty"):
        assert heading in card
    assert version in card


@pytest.mark.parametrize("version", VERSIONS)
def test_transformers_own_tokenizer_reads_the_vocabulary_alike(version: str) -> None:
    transformers = pytest.importorskip("transformers")
    from consumer.parser.tokenizer import AddressTokenizer

    directory = RELEASES / version
    theirs = transformers.BertTokenizerFast(str(directory / "vocab.txt"), do_lower_case=True)
    ours = AddressTokenizer.from_directory(directory)
    # Characters that theirs cannot know (radicals, full-width, emoji) are ours to fold.
    plain = re.compile(r"[一-龥0-9A-Za-z#\-（）()，,。 ]+")
    texts = [made.text for made in take(600, 41, "held_out") if plain.fullmatch(made.text)]
    assert len(texts) > 500
    for text, (ids, _) in zip(texts, ours.encode(texts), strict=True):
        expected = theirs(text, add_special_tokens=False)["input_ids"]
        if theirs.unk_token_id not in expected:
            assert ids == expected


def test_the_second_release_knows_at_least_forty_six_of_the_fifty() -> None:
    pytest.importorskip("torch")
    from consumer.address_parser import AddressParser
    from consumer.settings import ParserSettings

    known = known_addresses()
    parser = AddressParser.from_directory(
        RELEASES / VERSIONS[1], settings=ParserSettings(device="cpu", cpu_threads=1)
    )
    right = sum(
        {(c.type, c.start, c.end) for c in result.components} == set(address.parts)
        for address, result in zip(known, parser.parse([a.text for a in known]), strict=True)
    )
    assert right >= 46
