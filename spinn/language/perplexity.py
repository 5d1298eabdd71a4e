"""Perplexity of a language model on a text, with or without a continuous cache.

Every token is counted once, the ends of lines included. With one stream, the result depends neither
on the length of the windows nor on anything else but model and text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from spinn.data.language import Tokens
from spinn.data.streams import Sentences, Streams, TextBatch, fixed_lengths
from spinn.learning.objectives.language import token_losses
from spinn.model.language import LanguageModel, State
from spinn.support.runtime import arithmetic, evaluation_mode, within_memory


@dataclass(frozen=True)
class TextScores:
    """How well a model predicts a text.

    Attributes
    ----------
    nats
        Sum of the cross-entropies of all tokens.
    tokens
        Their number.

    """

    nats: float
    tokens: int

    @property
    def loss(self) -> float:
        """The mean cross-entropy, in nats a token."""
        return self.nats / self.tokens

    def as_dict(self) -> dict[str, float]:
        """Return loss, perplexity and bits a token."""
        return figures_of(self.loss)


def figures_of(loss: float) -> dict[str, float]:
    """Return a mean cross-entropy in nats, its perplexity, and its bits a token."""
    perplexity = math.exp(loss) if loss < 700 else math.inf
    return {"loss": loss, "perplexity": perplexity, "bits": loss / math.log(2)}


class ContinuousCache:
    """The continuous cache of Grave, Joulin and Usunier (2017, arXiv 1612.04426).

    The cache predicts the words that followed the last outputs of the model, each with a weight
    ``exp(theta * h_t . h_i)`` (equation 2), and is mixed with the model: ``(1 - weight) * model +
    weight * cache`` (equation 3). The first token of a text has no past and is left to the model.

    Parameters
    ----------
    window
        Number of past outputs.
    theta
        Sharpness of the weights.
    weight
        Share of the cache (lambda).

    """

    def __init__(self, window: int, theta: float, weight: float) -> None:
        self.window, self.theta, self.weight = window, theta, weight
        self.clear()

    def clear(self) -> None:
        """Forget the past, as before the first token of a text."""
        self._outputs: Tensor | None = None  # [W, width], the last ones
        self._followers: Tensor | None = None  # [W], the tokens after them

    def nats(self, outputs: Tensor, targets: Tensor, model: Tensor) -> Tensor:
        """Return the cross-entropy of the mixture on the next block of a text.

        Parameters
        ----------
        outputs
            Outputs of the last layer ``[N, width]``.
        targets
            The tokens after them ``[N]``.
        model
            Cross-entropies of the model ``[N]``.

        Returns
        -------
        ``[N]``. Memory is that of ``[N, window + N]`` numbers.

        """
        cache = self.log_probabilities(outputs, targets, targets)
        mixed = torch.logaddexp(math.log1p(-self.weight) - model, math.log(self.weight) + cache)
        return torch.where(cache.isnan(), model, -mixed)

    def log_probabilities(self, outputs: Tensor, targets: Tensor, wanted: Tensor) -> Tensor:
        """Return the log-probabilities that the cache gives to tokens, and store a block.

        Parameters
        ----------
        outputs, targets
            See :meth:`nats`.
        wanted
            The tokens whose log-probabilities are returned ``[N]``.

        Returns
        -------
        ``[N]``; NaN for the first token of a text, which has no past.

        """
        past, followers = outputs, targets
        if self._outputs is not None and self._followers is not None:
            past = torch.cat([self._outputs, outputs])
            followers = torch.cat([self._followers, targets])
        count, before = len(outputs), len(past) - len(outputs)
        # Row t sees the outputs of the window that ends just before its own.
        age = torch.arange(before, before + count, device=past.device)[:, None]
        age = age - torch.arange(len(past), device=past.device)
        seen = (age >= 1) & (age <= self.window)
        scores = (self.theta * outputs @ past.T).masked_fill(~seen, -math.inf)
        matches = scores.masked_fill(followers != wanted[:, None], -math.inf)
        self._outputs, self._followers = past[-self.window :], followers[-self.window :]
        return matches.logsumexp(1) - scores.logsumexp(1)


def text_scores(
    model: LanguageModel,
    tokens: Tokens,
    *,
    layout: str = "streams",
    size: int = 1,
    window: int = 256,
    precision: str = "fp32",
    cache: ContinuousCache | None = None,
) -> TextScores:
    """Return how well a model predicts a text.

    Parameters
    ----------
    model
        The model.
    tokens
        The text ``[N]``.
    layout
        ``"streams"`` or ``"sentences"``.
    size
        Streams that the text is cut into, or sentences in a batch.
    window
        Tokens of each stream that are computed at once.
    precision
        Of the matrix products.
    cache
        A cache; requires one stream.

    """
    streams = None if layout == "sentences" else Streams(tokens, size)

    def run(part: int) -> TextScores:
        if cache is not None:
            cache.clear()
        if streams is None:
            batches = Sentences(tokens, part).batches()
        else:
            batches = streams.windows(fixed_lengths(len(streams), part))
        return _scores(model, batches, precision, cache, carried=streams is not None)

    if streams is None:
        return within_memory(run, size, model.bias.device, "sentences")
    return within_memory(run, window, model.bias.device, "tokens of each stream")


def _scores(
    model: LanguageModel,
    batches: Iterable[TextBatch],
    precision: str,
    cache: ContinuousCache | None,
    *,
    carried: bool,
) -> TextScores:
    """Return the scores on batches; the state is ``carried`` from each to the next, or not."""
    device = model.bias.device
    nats, count = 0.0, 0
    state: State | None = None
    with evaluation_mode(model), arithmetic(device, precision):
        for batch in batches:
            batch = batch.to(device)
            output = model(batch.inputs, state, batch.lengths)
            state = output.state if carried else None
            losses = token_losses(model, output.raw, batch.targets)
            if cache is not None:
                outputs = output.raw[:, 0].float()
                losses = cache.nats(outputs, batch.targets[:, 0], losses)
            nats += losses.double().sum().item()
            count += batch.tokens
    return TextScores(nats, count)
