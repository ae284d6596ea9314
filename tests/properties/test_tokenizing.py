"""Offsets and tokens hold for any text at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers.implementations import BertWordPieceTokenizer

from consumer.parser.normalise import FOLDING, fold, is_invisible, readable
from consumer.parser.tokenizer import AddressTokenizer
from consumer.parser.windows import plan_windows
from tests.models.tiny import tiny_vocabulary


@cache
def vocabulary() -> dict[str, int]:
    return {token: row for row, token in enumerate(tiny_vocabulary())}


@cache
def tokenizer(lower_case: bool = True) -> AddressTokenizer:
    return AddressTokenizer(vocabulary(), lower_case=lower_case)


def is_piece(token: str) -> bool:
    return token.startswith("##") and len(token) > 2


@cache
def poor_tokenizer(known: str) -> AddressTokenizer:
    """Of a vocabulary that knows characters in one form alone, so that words come apart."""
    keep: Callable[[str], bool] = {
        "plain forms": lambda token: not is_piece(token),
        "pieces": lambda token: is_piece(token) or not token.isalnum(),
        "digits' pieces": lambda token: not is_piece(token) or token[2:].isdigit(),
    }[known]
    tokens = [token for token in tiny_vocabulary() if keep(token)]
    return AddressTokenizer({token: row for row, token in enumerate(tokens)})


ODD = (
    "😀👨‍👩‍👧🇨🇳𠮷𪚥\U000323af㎡①Ⅳ½ﬁ⻄⽬豈\u200b\u200d\u202e\u2066\ufeff\u00ad\u0301\ufe0f\U000e0100"
    "\ue000\uffff\ufffd\x00\x1f\ud800\udfff１２ＡＢ，．（）　 \t\n\u2028éÉßİıŒ한글がﾊﾟกำन्नि"
)
ORDINARY = "北京市海淀区中关村大街南路弄号楼层室0123456789abcxyzABC-#()（）、"
texts = st.text(st.one_of(st.sampled_from(ORDINARY), st.sampled_from(ODD), st.characters()))


@settings(max_examples=400, deadline=None)
@given(texts, st.booleans())
@example("\u0301", True)
@example("e\u0301\u0301x\u200b\u0301", True)
@example("x" * 150 + "㎡" + "7" * 150, True)
@example("100㎡é😀[SEP][PAD]##1", True)
def test_tokens_cover_every_visible_character_once_and_in_order(text: str, lower: bool) -> None:
    assert_covered(tokenizer(lower), text)


in_words = st.text(st.sampled_from("12ab路×〇\u200b\u200d\u202e\u2066\ufeff\u00ad\u0301 "))


@settings(max_examples=400, deadline=None)
@given(st.one_of(in_words, texts), st.sampled_from(["plain forms", "pieces", "digits' pieces"]))
@example("2\u200bq路", "plain forms")
@example("2q\u200b2", "plain forms")
@example("x\u200bx", "pieces")
@example("12\u200b〇3", "digits' pieces")
def test_a_word_that_comes_apart_is_covered_alike(text: str, known: str) -> None:
    assert_covered(poor_tokenizer(known), text)


def assert_covered(tokenize: AddressTokenizer, text: str) -> None:
    [(ids, offsets)] = tokenize.encode([text])
    assert len(ids) == len(offsets)
    position = 0
    for start, end in offsets:
        assert position <= start < end <= len(text)
        assert not is_invisible(text[start])
        assert not is_invisible(text[end - 1])
        assert all(is_invisible(character) for character in text[position:start])
        position = end
    assert all(is_invisible(character) for character in text[position:])
    assert all(0 <= token < tokenize.size for token in ids)


@settings(max_examples=300, deadline=None)
@given(texts)
def test_an_unknown_character_costs_only_itself(text: str) -> None:
    tokenize = tokenizer()
    [(ids, offsets)] = tokenize.encode([text])
    for token, (start, end) in zip(ids, offsets, strict=True):
        if token == tokenize.special.unknown:
            marks = text[start + 1 : end]
            assert all(unicodedata.category(mark).startswith("M") for mark in marks)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(ORDINARY)))
@example("12号ab-3")
def test_on_clean_text_the_tokens_are_those_of_bert(text: str) -> None:
    library = BertWordPieceTokenizer(vocabulary(), lowercase=True)
    expected = library.encode(text, add_special_tokens=False)
    [(ids, offsets)] = tokenizer().encode([text])
    assert (ids, offsets) == (expected.ids, expected.offsets)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, max_size=8))
def test_a_text_is_tokenized_alike_alone_and_among_others(batch: list[str]) -> None:
    together = tokenizer().encode(batch)
    assert together == [tokenizer().encode([text])[0] for text in batch]


@settings(max_examples=300, deadline=None)
@given(texts)
def test_folding_keeps_every_position(text: str) -> None:
    folded = fold(text)
    assert len(folded) == len(text)
    assert fold(folded) == folded
    for raw, plain in zip(text, folded, strict=True):
        assert raw == plain or ord(raw) in FOLDING


@given(texts)
def test_readable_text_has_nothing_invisible_but_single_spaces(text: str) -> None:
    shown = readable(text)
    assert readable(shown) == shown
    assert not any(is_invisible(character) and character != " " for character in shown)
    assert "  " not in shown
    assert shown == shown.strip()


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("⻄安市", "西安市"),
        ("⻓沙", "长沙"),
        ("⾦⽔⼤街", "金水大街"),
        ("１２号Ａ座", "12号A座"),
        ("㎡（，）", "㎡（，）"),
        ("豈", "豈"),
    ],
)
def test_look_alikes_are_folded_and_nothing_else_is(raw: str, plain: str) -> None:
    assert fold(raw) == plain


@given(st.integers(0, 3000), st.integers(1, 510))
def test_each_token_counts_in_exactly_one_window(tokens: int, capacity: int) -> None:
    windows = plan_windows(tokens, capacity)
    counted = [token for w in windows for token in range(w.first, w.last)]
    assert counted == list(range(tokens))
    for window in windows:
        assert 0 <= window.start <= window.first <= window.last <= window.stop <= tokens
        assert window.stop - window.start <= capacity


@given(st.integers(0, 3000), st.integers(8, 510))
def test_a_counted_token_sees_context_on_both_sides(tokens: int, capacity: int) -> None:
    needed = min(48, int(capacity * 0.4)) // 2
    for window in plan_windows(tokens, capacity):
        assert window.start == 0 or window.first - window.start >= needed
        assert window.stop == tokens or window.stop - window.last >= needed
