"""Texts to vectors: one seam, and the model that `medflow setup --vectors` fetches. Runs on the processor; no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from medflow.errors import MissingExtraError
from rag_backend.retrieval.model_files import BGE_SMALL, ModelFiles

Vectors = NDArray[np.float32]
_TOKENS = 512  # what the model takes; the rest of a text is not read


class Embedder(Protocol):
    """A model that puts texts of like meaning near each other."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """SHA-256 of what the vectors depend on: another one, and they have to be made again."""
        ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 a text; equal texts, equal rows."""
        ...


class OnnxEmbedder:
    """A BERT model as ONNX: the first token's state, divided by its length.

    Raises:
        VectorsUnavailable: the files are not there or not those that were tested. MissingExtraError: no runtime for them.
    """

    def __init__(self, folder: Path, files: ModelFiles = BGE_SMALL, *, threads: int = 1) -> None:
        files.check(folder)
        self.name, self.digest, self.dimensions = files.name, files.digest, files.dimensions
        self._session, self._tokenizer = _loaded(folder / files.model, folder / files.tokenizer, threads)
        self._inputs = [one.name for one in self._session.get_inputs()]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One text at a time: in a batch, the quantised model gives a text another vector beside other neighbours."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for place, text in enumerate(texts):
            encoded = self._tokenizer.encode(text)
            given = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
            states = self._session.run(None, {name: np.array([given[name]], dtype=np.int64) for name in self._inputs})[0]
            rows[place] = states[0, 0] / np.linalg.norm(states[0, 0])
        return rows


def _loaded(model: Path, tokenizer: Path, threads: int) -> tuple[Any, Any]:
    try:
        import onnxruntime  # type: ignore[import-untyped]
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError(error.name or "onnxruntime", "assistant") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    cutter = Tokenizer.from_file(str(tokenizer))
    cutter.enable_truncation(_TOKENS)
    cutter.no_padding()
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"]), cutter
