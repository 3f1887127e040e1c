"""The model puts like beside like, gives a text one vector, and never depends on what it was asked before."""

from __future__ import annotations

import numpy as np
import pytest

from rag_backend.retrieval.embedder import OnnxEmbedder


def test_vectors_are_of_length_one(embedder: OnnxEmbedder) -> None:
    """384 numbers of 32 bits a text, in the order of the texts."""
    rows = embedder.embed(["denial rate", "the weather in spring", ""])
    assert (rows.shape, rows.dtype) == ((3, embedder.dimensions), np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert embedder.embed([]).shape == (0, 384)


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("How much money did insurers hand out?", "paid amount", "age band"),
        ("share of bills that were turned down", "denial rate", "place of service"),
        ("doctors", "providers", "modifier"),
    ],
)
def test_like_lies_beside_like(text: str, near: str, far: str, embedder: OnnxEmbedder) -> None:
    """Also without a word in common."""
    asked, one, other = embedder.embed([text, near, far])
    assert asked @ one > asked @ other


def test_a_text_has_one_vector(embedder: OnnxEmbedder) -> None:
    """Bit by bit, whatever else is embedded with it: in a batch this model would give it another."""
    alone = embedder.embed(["claims by payer"])[0]
    among = embedder.embed(["a much longer text about claims, members and providers of three payers " * 5, "claims by payer", "x"])[1]
    assert alone.tobytes() == among.tobytes()


def test_a_long_text_is_cut(embedder: OnnxEmbedder) -> None:
    """At what the model takes; what comes after it changes nothing."""
    begun = "claim " * 600
    assert np.array_equal(embedder.embed([begun])[0], embedder.embed([f"{begun} weather"])[0])


def test_another_model_has_another_digest(embedder: OnnxEmbedder) -> None:
    """It is that of the files."""
    assert len(embedder.digest) == 64
    assert embedder.name == "bge-small-en-v1.5-q"
