"""Tokens a second of a language model in training, against plain ``torch.nn.LSTM`` of its size.

``python -m benchmarks.language`` times training steps (loss, gradients, clipping, SGD) of the
model of ``spinn lm train`` with the regularisation of the AWD-LSTM and without it, and of the same
layers as one ``torch.nn.LSTM`` with a tied decoder, without any regularisation. Contestants read
the same random tokens in turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import (
    alternate,
    describe_machine,
    make_parser,
    place_of,
    positive,
    record_of,
    run_program,
    say,
    slug,
    table,
    times,
    write_record,
)
from benchmarks.throughput import choose_precisions
from spinn.data.streams import TextBatch
from spinn.learning.objectives.language import LanguageObjective, PenaltyOptions
from spinn.model.language import DropoutOptions, LanguageModel, LanguageModelOptions
from spinn.support.runtime import arithmetic

CLIP, RATE = 0.25, 1e-3
AWD = DropoutOptions(0.1, 0.4, 0.2, 0.4, 0.5)
PENALTIES = PenaltyOptions(2.0, 1.0)


class PlainModel(nn.Module):
    """An embedding, ``torch.nn.LSTM``, and the embedding as decoder."""

    def __init__(self, tokens: int, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.layers = nn.LSTM(width, width, layers)
        self.bias = nn.Parameter(torch.zeros(tokens))

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of targets ``[T, B]``."""
        hidden, _ = self.layers(self.embedding(inputs))
        scores = functional.linear(hidden.flatten(0, 1), self.embedding.weight, self.bias)
        return functional.cross_entropy(scores.float(), targets.flatten())


def turn(model: nn.Module, loss: Callable[[], Tensor], precision: str) -> Callable[[], None]:
    """Return a training step."""
    device = next(model.parameters()).device
    optimizer = torch.optim.SGD(model.parameters(), RATE)

    def step() -> None:
        with arithmetic(device, precision):
            value = loss()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP, foreach=True)
        optimizer.step()

    return step


def contestants(
    options: argparse.Namespace, precision: str, device: torch.device
) -> dict[str, Callable[[], None]]:
    """Return the training steps, by name."""
    torch.manual_seed(1)
    shape = options.steps, options.batch_size
    tokens = torch.randint(options.tokens, (options.steps + 1, options.batch_size), device=device)
    batch = TextBatch(tokens[:-1], tokens[1:], None, shape[0] * shape[1])
    plain = PlainModel(options.tokens, options.width, options.layers).to(device)
    steps = {"torch.nn.LSTM": turn(plain, lambda: plain(batch.inputs, batch.targets), precision)}
    size = LanguageModelOptions(
        embedding_size=options.width, hidden_size=options.width, layers=options.layers
    )
    regularised = (AWD, PENALTIES), (DropoutOptions(), PenaltyOptions())
    for name, (dropout, penalties) in zip(("AWD-LSTM", "no dropout"), regularised, strict=True):
        model = LanguageModel(options.tokens, size, dropout).to(device).train()
        objective = LanguageObjective(penalties, model.zero_state(options.batch_size)).to(device)

        def loss(model: LanguageModel = model, objective: LanguageObjective = objective) -> Tensor:
            return objective(model, batch).loss

        steps[name] = turn(model, loss, precision)
    return steps


def main() -> None:
    """Run all contestants, print a table, write the record."""
    options = parse()
    device = place_of(options).enter()
    machine = describe_machine(device, options.threads)
    say(f"{machine['processor']}, {options.threads} thread(s), torch {machine['torch']}")
    count, rows, record = options.steps * options.batch_size, [], []
    for precision in choose_precisions(options.precisions, device):
        steps = contestants(options, precision, device)
        timings = alternate(steps, rounds=options.rounds, device=device)
        for name, found in timings.items():
            ratio = found.times_faster(timings["torch.nn.LSTM"])
            speed = count / found.median
            rows.append([name, precision, f"{speed:,.0f}", times(ratio)])
            record.append({"model": name, "precision": precision, "tokens": speed, "ratio": ratio})
    say(table(["model", "precision", "tokens/s", "x torch.nn.LSTM"], rows))
    settings = {name: getattr(options, name) for name in ("width", "layers", "tokens")}
    path = record_of(options, f"language-{slug(machine['processor'])}")
    write_record(path, machine, settings | {"rows": record})


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = make_parser("Tokens a second of language models.", "language", files=False)
    parser.add_argument("--width", type=positive, default=400, help="(default: 400)")
    parser.add_argument("--layers", type=positive, default=3, help="(default: 3)")
    parser.add_argument("--tokens", type=positive, default=10000, help="vocabulary (10000)")
    parser.add_argument("--batch-size", type=positive, default=20, help="streams (default: 20)")
    parser.add_argument("--steps", type=positive, default=70, help="(default: 70)")
    parser.add_argument("--rounds", type=positive, default=7, help="(default: 7)")
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"))
    options = parser.parse_args()
    if options.quick:
        options.width, options.tokens, options.rounds = 16, 50, 2
    return options


if __name__ == "__main__":
    run_program(main)
