"""Sharing trained models, as folders and on the Hugging Face Hub.

:class:`Shared` has the methods that other libraries give their models by ``ModelHubMixin`` of
``huggingface_hub``. That class would have to be imported with this package, and writes another
configuration; the format here is the folder of :mod:`spinn.pretrained`.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from spinn.model_card import model_card
from spinn.pretrained import TrainedModel, save_trained
from spinn.support.hub import upload


class Shared:
    """Methods of an object that has a trained model, to share the model."""

    trained: TrainedModel

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        dtype: torch.dtype | None = None,
        license: str | None = None,
    ) -> None:
        """Write the model to a new folder, with a model card; ``spinn.load`` reads it.

        Parameters
        ----------
        folder
            The folder.
        dtype
            Floating-point type of the saved weights, such as ``torch.bfloat16`` for half the size.
            They are converted to float32 when they are loaded.
        license
            Identifier of the licence of the weights, for the card, such as ``"mit"``.

        Raises
        ------
        SpinnError
            If the folder exists or cannot be written, or the weights exceed the range of ``dtype``.

        """
        self._save(Path(folder), str(folder), dtype, license)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        dtype: torch.dtype | None = None,
        license: str | None = None,
        **options: Any,
    ) -> str:
        """Upload the model to the Hugging Face Hub, by the package ``huggingface_hub``.

        Parameters
        ----------
        repo_id
            ``USER/NAME``; the repository is created unless it exists.
        dtype, license
            See :meth:`save_pretrained`.
        options
            ``private``, ``token``, ``commit_message``, ``revision``, ``create_pr``; see
            :func:`spinn.support.hub.upload`.

        Returns
        -------
        The address of the commit.

        Raises
        ------
        SpinnError
            If the package is not installed, or the model cannot be saved or uploaded.

        """
        with TemporaryDirectory() as scratch:
            folder = Path(scratch, "model")
            self._save(folder, repo_id, dtype, license)
            return upload(folder, repo_id, **options)

    def _save(
        self, folder: Path, name: str, dtype: torch.dtype | None, license: str | None
    ) -> None:
        card = model_card(self.trained, name, dtype=dtype, license=license)
        save_trained(self.trained, folder, dtype=dtype, card=card)
