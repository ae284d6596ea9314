"""Raw text to token ids with exact code-point offsets into the raw text.

The word pieces are those of the model's own BERT tokenizer. What this adds: no visible
character is ever lost, an unknown one costs only itself, and no input raises.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import NoneType
from typing import Any, Final

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from consumer.parser.normalise import FOLDING, is_invisible
from contracts.errors import UsageError

_LONGEST_WORD: Final = 100
"""BERT's bound: a longer run of letters or digits is one unknown word to it."""

_MOST_REMEMBERED: Final = 65_536
"""Characters: far more than Chinese addresses use, far fewer than a hostile sender can."""

_OPTIONS: Final[Mapping[str, tuple[type, ...]]] = {
    "do_lower_case": (bool,),
    "strip_accents": (bool, NoneType),
    "tokenize_chinese_chars": (bool,),
}
"""What is read of ``tokenizer_config.json``, and what each may be."""

Offsets = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids of the tokens that stand for no character."""

    pad: int
    unknown: int
    first: int
    last: int


class AddressTokenizer:
    """The tokenizer of one model. Thread-safe."""

    def __init__(
        self,
        vocabulary: Mapping[str, int],
        *,
        lower_case: bool = True,
        strip_accents: bool | None = None,
        split_hanzi: bool = True,
    ) -> None:
        """Build it from the vocabulary.

        Raises:
            UsageError: ``bad_vocabulary`` when a special token is missing, or no hanzi is.
        """
        missing = [t for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if t not in vocabulary]
        if missing:
            raise UsageError(
                f"the vocabulary lacks {', '.join(missing)}",
                code="bad_vocabulary",
                hint="a BERT vocab.txt has one token per line, these among them",
            )
        self.special = SpecialIds(
            pad=vocabulary["[PAD]"],
            unknown=vocabulary["[UNK]"],
            first=vocabulary["[CLS]"],
            last=vocabulary["[SEP]"],
        )
        self._vocabulary = dict(vocabulary)
        # The library's pipeline without its special tokens: "[SEP]" typed by a person is five
        # characters, not the end of the text.
        self._library = Tokenizer(
            WordPiece(
                self._vocabulary,
                unk_token="[UNK]",  # noqa: S106  (a word piece, not a secret)
                max_input_chars_per_word=_LONGEST_WORD,
            )
        )
        self._normalizer = BertNormalizer(
            clean_text=True,
            handle_chinese_chars=split_hanzi,
            strip_accents=strip_accents,
            lowercase=lower_case,
        )
        self._library.normalizer = self._normalizer
        self._library.pre_tokenizer = BertPreTokenizer()
        self._characters = _CharacterTable(self._vocabulary, self._normalizer)

    @classmethod
    def from_directory(cls, directory: Path) -> AddressTokenizer:
        """Read ``vocab.txt`` and, where there is one, ``tokenizer_config.json``.

        Raises:
            UsageError: ``model_incomplete``, ``bad_vocabulary``, ``bad_tokenizer_config``.
        """
        try:
            lines = (directory / "vocab.txt").read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            raise UsageError(
                "the model directory has no vocab.txt", code="model_incomplete"
            ) from None
        except UnicodeDecodeError:
            raise UsageError("vocab.txt is not UTF-8", code="bad_vocabulary") from None
        if lines and not lines[-1]:
            del lines[-1]
        vocabulary = {line.rstrip("\r"): index for index, line in enumerate(lines)}
        options = _read_options(directory / "tokenizer_config.json")
        return cls(
            vocabulary,
            lower_case=bool(options.get("do_lower_case", True)),
            strip_accents=options.get("strip_accents"),
            split_hanzi=bool(options.get("tokenize_chinese_chars", True)),
        )

    @property
    def size(self) -> int:
        """One more than the largest token id."""
        return max(self._vocabulary.values()) + 1

    def encode(self, texts: Sequence[str]) -> list[tuple[list[int], Offsets]]:
        """Token ids and offsets of each text, without special tokens.

        Offsets are half-open, in code points of the raw text, disjoint and ascending; every
        character but invisible ones (``normalise.is_invisible``) lies in exactly one.
        """
        characters = self._characters
        cleaned = [text.translate(characters) for text in texts]
        encoded = []
        unknown = self.special.unknown
        for text, encoding in zip(cleaned, self._library.encode_batch(cleaned), strict=True):
            ids, offsets = encoding.ids, encoding.offsets
            if unknown in ids:
                ids, offsets = self._take_words_apart(text, ids, offsets)
            if not characters.dropped.isdisjoint(text):
                ids, offsets = self._cover(text, ids, offsets)
            encoded.append((ids, offsets))
        return encoded

    def _take_words_apart(
        self, text: str, ids: list[int], offsets: Offsets
    ) -> tuple[list[int], Offsets]:
        """Replace a word that is unknown as a whole by what is known of it."""
        if all(
            end - start == 1
            for i, (start, end) in zip(ids, offsets, strict=True)
            if i == self.special.unknown
        ):
            return ids, offsets
        new_ids: list[int] = []
        new_offsets: Offsets = []
        for token, (start, end) in zip(ids, offsets, strict=True):
            if token != self.special.unknown or end - start == 1:
                new_ids.append(token)
                new_offsets.append((start, end))
                continue
            # No piece begins or ends on what is not seen. Of the others each has one normalised
            # character, or none (an accent).
            seen = [place for place in range(start, end) if not is_invisible(text[place])]
            forms = [self._characters.form(text[place]) for place in seen]
            position, inside = 0, False
            while position < len(seen):
                piece, length = self._longest_piece(forms, position, inside)
                new_ids.append(self.special.unknown if piece is None else piece)
                new_offsets.append((seen[position], seen[position + length - 1] + 1))
                inside = piece is not None
                position += length
        return new_ids, new_offsets

    def _longest_piece(
        self, forms: list[str], position: int, inside: bool
    ) -> tuple[int | None, int]:
        for end in range(min(len(forms), position + _LONGEST_WORD), position, -1):
            word = "".join(forms[position:end])
            if inside:
                word = f"##{word}"
            piece = self._vocabulary.get(word)
            if piece is not None:
                return piece, end - position
        return None, 1

    def _cover(self, text: str, ids: list[int], offsets: Offsets) -> tuple[list[int], Offsets]:
        """Give what the library dropped back: an accent to its letter, else a token."""
        new_ids: list[int] = []
        new_offsets: Offsets = []

        def fill(until: int) -> None:
            for position in range(new_offsets[-1][1] if new_offsets else 0, until):
                character = text[position]
                if is_invisible(character):
                    continue
                if (
                    new_offsets
                    and new_offsets[-1][1] == position
                    and unicodedata.category(character).startswith("M")
                ):
                    new_offsets[-1] = (new_offsets[-1][0], position + 1)
                else:
                    new_ids.append(self.special.unknown)
                    new_offsets.append((position, position + 1))

        for token, (start, end) in zip(ids, offsets, strict=True):
            fill(start)
            new_ids.append(token)
            new_offsets.append((start, end))
        fill(len(text))
        return new_ids, new_offsets


class _CharacterTable(dict[int, str]):
    """For ``str.translate``: each character as the library should see it, found on demand.

    A character that the vocabulary lacks becomes a rare hanzi that it lacks too: the library
    cuts hanzi apart, so that an emoji costs one unknown token and not the word around it.
    """

    def __init__(self, vocabulary: Mapping[str, int], normalizer: BertNormalizer) -> None:
        super().__init__()
        self._normalizer = normalizer
        self._known = {token.removeprefix("##") for token in vocabulary}
        self._stand_in = self._rare_hanzi()
        self.dropped: set[str] = set()
        """Visible characters met so far of which the library makes no token."""

    def _rare_hanzi(self) -> str:
        # From the end of the hanzi, then of extension A: what a model lacks is mostly there.
        for code in chain(range(0x9FFF, 0x4DFF, -1), range(0x4DBF, 0x33FF, -1)):
            if chr(code) not in self._known:
                return chr(code)
        raise UsageError(
            "the vocabulary knows every hanzi: none is left to stand for what is unknown",
            code="bad_vocabulary",
        )

    def __missing__(self, code: int) -> str:
        shown = self._shown(chr(code))
        if not is_invisible(shown) and not self.form(shown):
            self.dropped.add(shown)
        if len(self) < _MOST_REMEMBERED:
            self[code] = shown
        return shown

    def form(self, character: str) -> str:
        """What the model's own normalisation makes of one character."""
        form: str = self._normalizer.normalize_str(character)
        return form.strip()

    def _shown(self, raw: str) -> str:
        if unicodedata.category(raw) == "Cs":
            return self._stand_in
        character = chr(FOLDING.get(ord(raw), ord(raw)))
        if is_invisible(character):
            return " " if self.form(character) else character
        if self._is_known(character):
            return character
        if unicodedata.category(character).startswith("M") and not self.form(character):
            return character
        compatible = unicodedata.normalize("NFKC", character)
        if len(compatible) == 1 and self._is_known(compatible):
            return compatible
        return self._stand_in

    def _is_known(self, character: str) -> bool:
        form = self.form(character)
        return len(form) == 1 and form in self._known


def _read_options(path: Path) -> dict[str, Any]:
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        raise UsageError(f"{path.name} is not JSON", code="bad_tokenizer_config") from None
    if not isinstance(options, dict):
        raise UsageError(f"{path.name} is not a JSON object", code="bad_tokenizer_config")
    for name, allowed in _OPTIONS.items():
        if name in options and not isinstance(options[name], allowed):
            raise UsageError(
                f"{path.name}: {name} is neither true nor false", code="bad_tokenizer_config"
            )
    return options
