"""Generation of text by a language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from spinn.data.language import END, normalized
from spinn.data.tokenizer import Tokenizer
from spinn.data.vocabulary import PADDING, UNKNOWN
from spinn.language.pretrained import TrainedLanguageModel
from spinn.model.language import LanguageModel
from spinn.support.runtime import evaluation_mode


def generate(
    trained: TrainedLanguageModel,
    prefix: str = "",
    *,
    length: int = 100,
    temperature: float = 1.0,
    top_k: int = 0,
    seed: int = 1,
) -> str:
    """Return a text that begins with a prefix.

    Parameters
    ----------
    trained
        The model.
    prefix
        The beginning of the text.
    length
        Number of tokens that are generated.
    temperature
        Divides the scores; 0 always takes the likeliest token.
    top_k
        Number of likeliest tokens that are drawn from; 0 for all.
    seed
        Of the draws.

    """
    begun = prefix_tokens(trained, prefix)
    given = trained.vocabulary.numbers(begun).tolist()
    random = torch.Generator().manual_seed(seed)
    apart = trained.configuration.batches.layout == "sentences"
    drawn = sample(trained.model, given, length, temperature, top_k, random, apart=apart)
    words = [trained.vocabulary.words[number] for number in drawn]
    return trained.unit.join([*begun, *words])


def prefix_tokens(trained: TrainedLanguageModel, prefix: str) -> list[str]:
    """Split a prefix as the text of the model was split."""
    data = trained.configuration.data
    text = prefix if data.corpus is None else " ".join(Tokenizer()(prefix))
    if data.normalize == "letters" and prefix.endswith(" "):
        return trained.unit.split(normalized(text, data.normalize) + " ")
    return trained.unit.split(normalized(text, data.normalize))


@torch.no_grad()
def sample(
    model: LanguageModel,
    prefix: Sequence[int],
    length: int,
    temperature: float,
    top_k: int,
    random: torch.Generator,
    *,
    apart: bool = False,
) -> Iterator[int]:
    """Yield tokens that continue a prefix; the unknown token and padding are left out.

    If sentences are ``apart``, as in training on sentences, each begins without a state.
    """
    inputs, state = [END, *prefix], None
    with evaluation_mode(model):
        for _ in range(length):
            output = model(torch.tensor(inputs, device=model.bias.device)[:, None], state)
            scores = model.decode(output.raw[-1, 0]).float().cpu()
            scores[[UNKNOWN, PADDING]] = -torch.inf
            inputs, state = [draw(scores, temperature, top_k, random)], output.state
            if apart and inputs == [END]:
                state = None
            yield inputs[0]


def draw(scores: Tensor, temperature: float, top_k: int, random: torch.Generator) -> int:
    """Draw a token by its score ``[V]``; none with the score -inf."""
    if temperature == 0:
        return int(scores.argmax())
    kept, numbers = scores.topk(min(top_k or len(scores), len(scores)))
    below = kept - kept[0]  # so that no quotient is too large
    temperature = max(temperature, torch.finfo(below.dtype).tiny)  # 0 / 0 is no number
    chosen = torch.multinomial(torch.softmax(below / temperature, 0), 1, generator=random)
    return int(numbers[chosen])
