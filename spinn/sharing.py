"""Sharing trained models, as folders and on the Hugging Face Hub.

:class:`Shared` has the methods that other libraries give their models by ``ModelHubMixin`` of
``huggingface_hub``. That class would have to be imported with this package, and writes a
configuration of its own; here, the format is the folder of :mod:`spinn.pretrained`.
"""

from __future__ import annotations

from pathlib import Path

import torch

from spinn.model_card import model_card
from spinn.pretrained import TrainedModel, save_trained


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

    def _save(
        self, folder: Path, name: str, dtype: torch.dtype | None, license: str | None
    ) -> None:
        card = model_card(self.trained, name, dtype=dtype, license=license)
        save_trained(self.trained, folder, dtype=dtype, card=card)
