"""Records as another client may write them: with a header name that is not UTF-8.

aiokafka takes only text for a name, so one of the same length is written first and its bytes are
put in its place.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from contracts.settings import KafkaSettings, client_options

BAD_NAME = "订单".encode("gbk")
ESCAPED = BAD_NAME.decode("utf-8", "backslashreplace")
_STAND_IN = "~~~~"
_CRC_AT, _CHECKED_FROM = 17, 21


@dataclass(frozen=True)
class Raw:
    """One record to write."""

    value: bytes
    key: bytes | None = None
    bad: bool = False


def batch_of(records: Sequence[Raw], *, codec: int = 0) -> bytes:
    """A batch, byte for byte."""
    packed, plain = (_builder(records, one) for one in (codec, 0))
    body = plain.replace(_STAND_IN.encode(), BAD_NAME)
    if codec:
        # Pack the changed records again: only the frame of the other can be used.
        import cramjam

        pack = {1: cramjam.gzip.compress, 4: cramjam.zstd.compress}[codec]
        body = packed[:61] + bytes(pack(body[61:]))
    made = bytearray(body)
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">I", made, _CRC_AT, calc_crc32c(bytes(made[_CHECKED_FROM:])))
    return bytes(made)


def _builder(records: Sequence[Raw], codec: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for offset, one in enumerate(records):
        headers: list[tuple[str, bytes | None]] = [("app", b"x"), ("none", None)]
        if one.bad:
            headers.insert(1, (_STAND_IN, b"v"))
        builder.append(offset, 1_700_000_000_000 + offset, one.key, one.value, headers)
    return bytes(builder.build())


async def publish_raw(
    kafka: KafkaSettings, topic: str, partition: int, records: Sequence[Raw]
) -> None:
    """Write these as one batch."""
    async with AIOKafkaProducer(enable_idempotence=False, **client_options(kafka)) as producer:
        batch = producer.create_batch()
        for one in records:
            batch.append(timestamp=None, key=one.key, value=one.value)
        batch.close()
        batch._buffer = batch_of(records)  # what is sent in the place of what it would build
        await (await producer.send_batch(batch, topic, partition=partition))
