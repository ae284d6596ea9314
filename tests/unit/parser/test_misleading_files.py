"""Small files of a model that are not what they should be: refused by name, whatever they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.parser.calibration import read_temperature
from consumer.parser.tokenizer import AddressTokenizer
from contracts.errors import UsageError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]
HANZI = [chr(code) for code in range(0x4E00, 0xA000)]
EXTENSION_A = [chr(code) for code in range(0x3400, 0x4DC0)]


def tokenizer(directory: Path, options: str, words: list[str] = WORDS) -> AddressTokenizer:
    (directory / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (directory / "tokenizer_config.json").write_text(options)
    return AddressTokenizer.from_directory(directory)


@pytest.mark.parametrize(
    "options",
    [
        '{"strip_accents": "yes"}',
        '{"do_lower_case": "false"}',
        '{"do_lower_case": null}',
        '{"tokenize_chinese_chars": 1}',
        "[" * 100_000,
        '{"a": 1' + "0" * 5_000 + "}",
        "[]",
    ],
    ids=lambda options: options[:30],
)
def test_options_of_a_tokenizer_are_read_strictly(tmp_path: Path, options: str) -> None:
    with pytest.raises(UsageError) as refused:
        tokenizer(tmp_path, options)
    assert refused.value.code == "bad_tokenizer_config"


def test_options_may_be_left_out_and_others_may_be_there(tmp_path: Path) -> None:
    options = '{"strip_accents": null, "do_lower_case": false, "model_max_length": 512}'
    assert tokenizer(tmp_path, options).encode(["aA"]) == [([4, 1], [(0, 1), (1, 2)])]


def test_a_vocabulary_of_all_common_hanzi_still_tells_what_is_unknown(tmp_path: Path) -> None:
    assert tokenizer(tmp_path, "{}", WORDS + HANZI).encode(["a😀"]) == [([4, 1], [(0, 1), (1, 2)])]


def test_a_vocabulary_that_leaves_no_hanzi_unknown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        tokenizer(tmp_path, "{}", WORDS + HANZI + EXTENSION_A)
    assert refused.value.code == "bad_vocabulary"


@pytest.mark.parametrize(
    "value",
    ["1" + "0" * 400, "1e-320", "0.0009", "1001", "0", "-1", "NaN", "1e400", "true", '"1"', "null"],
    ids=lambda value: value[:10],
)
def test_a_temperature_out_of_all_reason_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "calibration.json").write_text(f'{{"temperature": {value}}}')
    with pytest.raises(UsageError) as refused:
        read_temperature(tmp_path)
    assert refused.value.code == "bad_calibration"


@pytest.mark.parametrize("value", ["0.001", "1", "1.7", "1000"])
def test_a_temperature_within_reason_is_read(tmp_path: Path, value: str) -> None:
    (tmp_path / "calibration.json").write_text(f'{{"temperature": {value}}}')
    assert read_temperature(tmp_path) == float(value)
