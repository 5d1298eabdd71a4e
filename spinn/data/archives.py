"""The published archives of corpora and word vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Archive:
    """A published zip archive."""

    name: str
    url: str
    members: tuple[str, ...]
    """Names of the required files in the archive."""
    size: int | None = None
    """Size in bytes, if known."""
    sha256: str | None = None
    md5: str | None = None

    @property
    def filename(self) -> str:
        """File name of the archive."""
        return PurePosixPath(self.url).name


ARCHIVES: dict[str, Archive] = {
    archive.name: archive
    for archive in (
        Archive(
            name="snli",
            url="https://nlp.stanford.edu/projects/snli/snli_1.0.zip",
            size=94_550_081,
            sha256="afb3d70a5af5d8de0d9d81e2637e0fb8c22d1235c2749d83125ca43dab0dbd3e",
            members=tuple(f"snli_1.0/snli_1.0_{split}.jsonl" for split in ("train", "dev", "test")),
        ),
        Archive(
            name="multinli",
            url="https://cims.nyu.edu/~sbowman/multinli/multinli_1.0.zip",
            md5="0f70aaf66293b3c088a864891db51353",
            members=tuple(
                f"multinli_1.0/multinli_1.0_{split}.jsonl"
                for split in ("train", "dev_matched", "dev_mismatched")
            ),
        ),
        # No checksums are published for GloVe; zip archives contain one for each file.
        Archive(
            name="glove.6B",
            url="https://nlp.stanford.edu/data/glove.6B.zip",
            size=862_182_613,
            members=tuple(f"glove.6B.{width}d.txt" for width in (50, 100, 200, 300)),
        ),
        Archive(
            name="glove.42B.300d",
            url="https://nlp.stanford.edu/data/glove.42B.300d.zip",
            size=1_877_800_501,
            members=("glove.42B.300d.txt",),
        ),
        Archive(
            name="glove.840B.300d",
            url="https://nlp.stanford.edu/data/glove.840B.300d.zip",
            size=2_176_768_927,
            members=("glove.840B.300d.txt",),
        ),
    )
}
