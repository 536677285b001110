"""The pieces of words that the sentence encoder reads, cut to those that Chinese and English use."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.language.piece_tokenizer import FORMAT, SPACE, open_pieces
from models.language.text import normalize_text

_SPECIAL = 3  # <unk>, <s>, </s> come first
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_ASCII_CHARACTER = re.compile(r"[!-~]")


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Pieces in Simplified Chinese and lower case with their log probabilities, and which row each is of all."""

    scores: Sequence[tuple[str, float]]
    rows: NDArray[np.int64]


def cut_pieces(model: Path, texts: Iterable[str]) -> Pieces:
    """Read a SentencePiece model and keep what `texts` use, every Chinese piece and every single ASCII character.

    A piece in Traditional Chinese stands in for the Simplified one where there is none: queries are simplified first.
    """
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    every = [(processor.id_to_piece(row), processor.get_score(row)) for row in range(processor.get_piece_size())]
    whole = open_pieces(every)
    used = {row for encoding in whole.encode_batch(list(texts), add_special_tokens=False) for row in encoding.ids}
    kept: dict[str, tuple[float, int]] = {}
    aliases: dict[str, tuple[float, int]] = {}
    for row, (piece, score) in enumerate(every):
        bare = piece.lstrip(SPACE)
        if row < _SPECIAL or row in used or not bare or _ASCII_CHARACTER.fullmatch(bare):
            kept[piece] = score, row
        elif _HAN.fullmatch(bare):
            simplified = piece[: len(piece) - len(bare)] + normalize_text(bare)
            (kept if simplified == piece else aliases).setdefault(simplified, (score, row))
    for piece, found in aliases.items():
        kept.setdefault(piece, found)
    order = sorted(kept.items(), key=lambda item: item[1][1])
    return Pieces([(piece, score) for piece, (score, _) in order], np.array([row for _, (_, row) in order]))


def write_tokenizer(path: Path, pieces: Pieces, grams: Sequence[str], context_length: int) -> None:
    """Write the file that PieceTokenizer reads."""
    description = {
        "type": FORMAT,
        "max_len": context_length,
        "pieces": [[piece, round(score, 4)] for piece, score in pieces.scores],
        "grams": list(grams),
    }
    path.write_text(json.dumps(description, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
