"""``spinn serve``: a web page that shows trained models at work."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from spinn.commands.options import at_least
from spinn.support.errors import ConfigurationError

PORT = 8000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "runs",
        nargs="*",
        type=Path,
        metavar="RUN",
        help="folders of runs, to show and to compare (default: the model that comes with the "
        "package)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="NAME",
        help="address to listen at; 0.0.0.0 for other machines, too (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--port",
        type=at_least(0),
        default=PORT,
        metavar="N",
        help=f"0 for a free one (default: {PORT})",
    )
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument(
        "--device", default="cpu", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: cpu)"
    )


def run(namespace: argparse.Namespace) -> int:
    """Serve until the process is stopped; return the exit status."""
    try:
        from spinn.serve.server import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("spinn"):
            raise
        raise ConfigurationError(
            f"The page requires {error.name}; install what it needs with: "
            "python -m pip install fastapi uvicorn"
        ) from error
    from spinn.predictor import Predictor
    from spinn.pretrained import SHIPPED
    from spinn.serve.served import load_models
    from spinn.support.runtime import set_threads

    set_threads(1)
    load = partial(Predictor.load, checkpoint=namespace.checkpoint, device=namespace.device)
    runs = namespace.runs or [Path(SHIPPED)]
    serve(load_models(runs, load), namespace.host, namespace.port)
    return 0
