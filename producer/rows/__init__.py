"""Reading people's files of addresses, in bounded memory."""

from producer.rows.model import BadLine, Row, joined
from producer.rows.rejects import RejectsFile, rejects_path
from producer.rows.source import STDIN, AddressFile, FileFormat, ReadOptions

__all__ = [
    "STDIN",
    "AddressFile",
    "BadLine",
    "FileFormat",
    "ReadOptions",
    "RejectsFile",
    "Row",
    "joined",
    "rejects_path",
]
