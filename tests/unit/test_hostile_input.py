"""What strangers may write on the input topic, and the code that each of it gets."""

from __future__ import annotations

import json
import sys
import tracemalloc

import pytest

from contracts.decode import BatchInput, decode_batch, text_fault
from contracts.errors import PermanentError
from contracts.limits import MIB, Limits
from contracts.strict_json import MAX_DEPTH, read_json

LIMITS = Limits()
CANARY = "金丝雀巷77号"


def record(*addresses: object, **fields: object) -> bytes:
    document = {"batch_id": "b-1", "source": "orders", "addresses": list(addresses), **fields}
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def address(text: object, identifier: object = "1") -> dict[str, object]:
    return {"id": identifier, "text": text}


GOOD = address("北京市海淀区中关村大街1号", "good")
GOOD_JSON = json.dumps(GOOD, ensure_ascii=False)


def with_raw_address(raw: str) -> bytes:
    """A batch with one good address and one whose JSON is written by hand."""
    return f'{{"batch_id":"b-1","addresses":[{GOOD_JSON},{raw}]}}'.encode()


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return with_raw_address(
        '{"id":"1","text":"x","more":' + opening * depth + "1" + closing * depth + "}"
    )


UNREADABLE: dict[str, tuple[bytes | None, str]] = {
    "a tombstone": (None, "empty_record"),
    "no bytes": (b"", "empty_record"),
    "one null byte": (b"\x00", "not_json"),
    "null bytes at the end": (record(GOOD) + b"\x00\x00", "not_json"),
    "words": (b"hello", "not_json"),
    "only spaces": (b"   ", "not_json"),
    "cut off in the middle": (record(GOOD)[:-2], "not_json"),
    "two documents": (record(GOOD) + record(GOOD), "not_json"),
    "a trailing comma": (b'{"batch_id":"b-1","addresses":[],}', "not_json"),
    "single quotes": (b"{'batch_id':'b-1'}", "not_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + record(GOOD), "not_json"),
    "a raw control character in a text": (
        with_raw_address('{"id":"1","text":"a\x01"}'),
        "not_json",
    ),
    "an escape that is none": (with_raw_address(r'{"id":"1","text":"\x41"}'), "not_json"),
    "GB18030": (record(GOOD).decode().encode("gb18030"), "not_utf8"),
    "UTF-16": (record(GOOD).decode().encode("utf-16"), "not_utf8"),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "not_utf8"),
    "a surrogate in the bytes": (record(address("\ud800")), "not_utf8"),
    "an overlong encoding": (b'{"batch_id":"\xc0\xaf"}', "not_utf8"),
    "50 MB": (b"[" + b" " * (50 * 1000 * 1000), "record_too_large"),
    "one byte too many": (record(GOOD).ljust(MIB + 1), "record_too_large"),
    "a list": (b"[]", "not_an_object"),
    "a number": (b"17", "not_an_object"),
    "null": (b"null", "not_an_object"),
    "a text": (b'"text"', "not_an_object"),
    "a key twice": (b'{"batch_id":"a","batch_id":"b","addresses":[]}', "duplicate_key"),
    "a key twice, once escaped": (rb'{"batch_id":"a","b\u0061tch_id":"b"}', "duplicate_key"),
    "a key twice inside an address": (
        with_raw_address('{"id":"1","text":"a","text":"b"}'),
        "duplicate_key",
    ),
    "NaN": (with_raw_address('{"id":"1","text":"x","lat":NaN}'), "bad_number"),
    "Infinity": (with_raw_address('{"id":"1","text":"x","lat":-Infinity}'), "bad_number"),
    "1e400": (with_raw_address('{"id":"1","text":"x","lat":1e400}'), "bad_number"),
    "an integer of 10,000 digits": (
        with_raw_address('{"id":"1","text":"x","n":' + "9" * 10_000 + "}"),
        "bad_number",
    ),
    "1e400 written out": (
        with_raw_address('{"id":"1","text":"x","n":-1' + "0" * 400 + "}"),
        "bad_number",
    ),
    "a number of a million digits": (
        with_raw_address('{"id":"1","text":"x","n":0.' + "9" * 1_000_000 + "e999}"),
        "bad_number",
    ),
    "100,000 lists deep": (nested(100_000), "too_deep"),
    "100,000 objects deep": (nested(100_000, '{"a":', "}"), "too_deep"),
    "100,000 brackets and no end": (b"[" * 100_000, "too_deep"),
    "a little too deep": (nested(MAX_DEPTH - 2), "too_deep"),
    "no batch id": (b'{"addresses":[{"id":"1","text":"x"}]}', "bad_batch_id"),
    "a number for batch id": (record(GOOD, batch_id=1), "bad_batch_id"),
    "an empty batch id": (record(GOOD, batch_id=""), "bad_batch_id"),
    "a batch id of 201 characters": (record(GOOD, batch_id="b" * 201), "bad_batch_id"),
    "half a surrogate pair in the batch id": (
        rb'{"batch_id":"\ud800","addresses":[{"id":"1","text":"x"}]}',
        "bad_batch_id",
    ),
    "a source that is null": (record(GOOD, source=None), "bad_source"),
    "a source that is a list": (record(GOOD, source=[]), "bad_source"),
    "a source of 201 characters": (record(GOOD, source="s" * 201), "bad_source"),
    "no addresses": (b'{"batch_id":"b-1"}', "bad_addresses"),
    "addresses in an object": (record(addresses={"id": "1"}), "bad_addresses"),
    "addresses in a text": (record(addresses=CANARY), "bad_addresses"),
    "an empty batch": (record(), "empty_batch"),
    "1,001 addresses": (record(*[GOOD] * 1001), "too_many_addresses"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_record_that_cannot_be_read_is_refused_with_its_code(name: str) -> None:
    raw, code = UNREADABLE[name]

    with pytest.raises(PermanentError) as refused:
        decode_batch(raw, LIMITS)

    assert refused.value.code == code


FAULTY: dict[str, tuple[bytes, str]] = {
    "an address that is a text": (record(GOOD, "x"), "bad_address"),
    "an address that is null": (record(GOOD, None), "bad_address"),
    "an address that is a list": (record(GOOD, ["1", "x"]), "bad_address"),
    "no id": (record(GOOD, {"text": "x"}), "bad_id"),
    "a number for id": (record(GOOD, address("x", 1)), "bad_id"),
    "an empty id": (record(GOOD, address("x", "")), "bad_id"),
    "an id of 201 characters": (record(GOOD, address("x", "i" * 201)), "bad_id"),
    "half a surrogate pair in the id": (with_raw_address(r'{"id":"\udc00","text":"x"}'), "bad_id"),
    "no text": (record(GOOD, {"id": "1"}), "bad_text"),
    "a text that is null": (record(GOOD, address(None)), "bad_text"),
    "a text that is a number": (record(GOOD, address(12)), "bad_text"),
    "a text that is true": (record(GOOD, address(True)), "bad_text"),
    "an empty text": (record(GOOD, address("")), "empty_text"),
    "only spaces": (record(GOOD, address(" \t\n\u3000\u00a0")), "empty_text"),
    "only zero-width and bidi controls": (
        record(GOOD, address("\u200b\u200d\u2060\ufeff\u202e\u2066")),
        "empty_text",
    ),
    "only null characters": (record(GOOD, address("\x00\x00")), "empty_text"),
    "10,000 characters": (record(GOOD, address("长" * 10_000)), "text_too_long"),
    "1,001 characters": (record(GOOD, address("长" * 1001)), "text_too_long"),
    "the first half of a surrogate pair": (
        with_raw_address(r'{"id":"1","text":"a\ud83d"}'),
        "lone_surrogate",
    ),
    "a surrogate pair the wrong way round": (
        with_raw_address(r'{"id":"1","text":"\ude00\ud83d"}'),
        "lone_surrogate",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_address_is_its_own_problem(name: str) -> None:
    raw, code = FAULTY[name]

    good, faulty = decode_batch(raw, LIMITS).addresses

    assert (good.id, good.text, good.fault) == ("good", GOOD["text"], None)
    assert faulty.fault == code
    # Whatever is kept of it can be written back.
    assert (faulty.id + (faulty.text or "")).encode()


def test_an_address_without_a_usable_id_is_named_by_its_position() -> None:
    batch = decode_batch(record(GOOD, "x", address("y", 7)), LIMITS)

    assert [one.id for one in batch.addresses] == ["good", "#1", "#2"]


ODD_BUT_FINE = {
    "emoji": "北京市😀海淀区👩‍👩‍👧",
    "rare hanzi beyond the BMP": "𠮷林省𡈽𪚥路1号",
    "zero-width characters": "北京市\u200b海淀区\u200d中关村",
    "bidi controls": "\u202e北京市\u202c海淀区\u2066",
    "a byte order mark inside": "\ufeff北京市海淀区",
    "Latin": "No. 1 Zhongguancun St, Haidian",
    "full-width digits": "中关村大街１２３号",
    "a null character": "北京市\x00海淀区",
    "combining marks": "e\u0301\u0302\u0303",
    "1,000 characters": "长" * 1000,
    "one character": "京",
    "an unassigned code point": "北京\U000e0fff",
    "look-alikes of hanzi": "⻄安市⼤街",
}


@pytest.mark.parametrize("escaped", [False, True], ids=["raw", "escaped"])
@pytest.mark.parametrize("name", ODD_BUT_FINE)
def test_odd_text_comes_through_unchanged(name: str, escaped: bool) -> None:
    text = ODD_BUT_FINE[name]
    document = {"batch_id": "b-1", "addresses": [address(text)]}
    raw = json.dumps(document, ensure_ascii=escaped).encode()

    (one,) = decode_batch(raw, LIMITS).addresses

    assert one.text == text
    assert one.fault is None


def test_fields_that_nobody_knows_are_skipped_whatever_is_in_them() -> None:
    raw = with_raw_address(r'{"id":"1","text":"x","new":{"half":"\ud800","n":[1e308,-0]}}')

    assert [one.fault for one in decode_batch(raw, LIMITS).addresses] == [None, None]


def test_a_record_as_deep_as_allowed_is_read_however_deep_the_caller_is() -> None:
    raw = nested(MAX_DEPTH - 3)

    def at_depth(calls: int) -> BatchInput:
        return at_depth(calls - 1) if calls else decode_batch(raw, LIMITS)

    assert len(decode_batch(raw, LIMITS).addresses) == 2
    assert len(at_depth(sys.getrecursionlimit() // 2).addresses) == 2


def test_depth_and_escapes_together_are_an_error_and_not_a_crash() -> None:
    for depth in (MAX_DEPTH, 500, 900, 990, 5_000):
        raw = b"[" * depth + rb'"\ud800"' + b"]" * depth
        with pytest.raises(PermanentError) as refused:
            read_json(raw, max_bytes=MIB)
        assert refused.value.code in {"too_deep", "lone_surrogate"}


def test_a_record_over_the_limit_costs_no_memory_beyond_itself() -> None:
    raw = b"[" + b" " * (50 * 1000 * 1000)
    tracemalloc.start()
    try:
        with pytest.raises(PermanentError):
            decode_batch(raw, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_limits_are_settings_that_count() -> None:
    tight = Limits(max_addresses=1, max_address_chars=3, max_id_chars=2, max_record_bytes=1024)

    assert text_fault("四个字啊", tight) == "text_too_long"
    assert decode_batch(record(address("x", "123")), LIMITS).addresses[0].fault is None
    with pytest.raises(PermanentError) as refused:
        decode_batch(b'{"batch_id":"b","addresses":[{},{}]}', tight)
    assert refused.value.code == "too_many_addresses"


def poisoned() -> list[bytes]:
    """Records that fail in every way with the canary wherever text can stand."""
    quoted = json.dumps(CANARY, ensure_ascii=False)
    return [
        CANARY.encode(),
        f"[{quoted}".encode(),
        quoted.encode(),
        f"{{{quoted}:1,{quoted}:2}}".encode(),
        f'{{"batch_id":[{quoted}]}}'.encode(),
        f'{{"batch_id":"{CANARY * 100}"}}'.encode(),
        f'{{"batch_id":"b","source":[{quoted}]}}'.encode(),
        f'{{"batch_id":"b","addresses":{quoted}}}'.encode(),
        f'{{"batch_id":{quoted},"addresses":[]}}'.encode(),
        f'{{"a":{quoted},"lat":NaN}}'.encode(),
        f'{{"a":{quoted},"lat":1e999}}'.encode(),
        f'{{"a":{quoted},"n":{"7" * 5000}}}'.encode(),
        CANARY.encode() + b"\xff",
        (f'{{"a":{quoted},"b":' + "[" * 90 + "]" * 90 + "}").encode(),
        quoted.encode().ljust(MIB + 1),
    ]


@pytest.mark.parametrize("raw", poisoned(), ids=range(len(poisoned())))
def test_no_error_repeats_what_the_input_said(raw: bytes) -> None:
    with pytest.raises(PermanentError) as refused:
        decode_batch(raw, LIMITS)

    error: BaseException | None = refused.value
    while error is not None:
        said = f"{error} {getattr(error, 'hint', '')}"
        assert "金丝雀" not in said
        assert "77号" not in said
        assert error.__suppress_context__ or error.__context__ is None
        error = error.__cause__
