"""The classifier, from one or two sentence vectors to label scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spinn.model.leaves import make_norm


class PairClassifier(nn.Module):
    """A multilayer perceptron over [u, v, u - v, u * v] (Mou et al. 2016) or a single sentence u.

    Parameters
    ----------
    sentence_size
        H, the width of a sentence vector.
    labels
        Number of labels.
    layers, width
        Number and width of the hidden layers (ReLU).
    norm, dropout
        Normalisation and dropout probability after the features and after each hidden layer.
    sides
        Number of sentences per example: 2 for pairs, or 1.

    """

    def __init__(
        self,
        sentence_size: int,
        labels: int,
        *,
        layers: int = 1,
        width: int = 1024,
        norm: str = "none",
        dropout: float = 0.0,
        sides: int = 2,
    ) -> None:
        super().__init__()
        self.sides = sides
        size = sentence_size if sides == 1 else 4 * sentence_size
        modules: list[nn.Module] = [make_norm(norm, size), nn.Dropout(dropout)]
        for _ in range(layers):
            modules += [nn.Linear(size, width), nn.ReLU(), make_norm(norm, width)]
            modules += [nn.Dropout(dropout)]
            size = width
        self.layers = nn.Sequential(*modules, nn.Linear(size, labels))

    def forward(self, premise: Tensor, hypothesis: Tensor | None = None) -> Tensor:
        """Return scores ``[P, labels]`` of pairs of sentence vectors ``[P, H]``, or single ones."""
        if hypothesis is None:
            return self.layers(premise)
        difference, product = premise - hypothesis, premise * hypothesis
        return self.layers(torch.cat([premise, hypothesis, difference, product], dim=1))
