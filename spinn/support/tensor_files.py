"""Files of tensors, in the format of safetensors or of torch.

Files that are read may be damaged.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from stat import S_IMODE
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from spinn.support.errors import DataError

# Besides SafetensorError, the library raises errors of torch and of Python for types and shapes
# that make no sense.
_DAMAGE = (
    SafetensorError, ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors with the permissions of any new file; safetensors lets only the owner read it.

    Raises
    ------
    OSError, SafetensorError
        If the file cannot be written.

    """
    path.touch()
    permissions = S_IMODE(path.stat().st_mode)
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, path)
    path.chmod(permissions)


def read_tensors(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read a file of tensors.

    Raises
    ------
    DataError
        If it is missing or damaged; ``remedy`` is what to do about it.

    """
    try:
        with open(path, "rb"):  # safetensors calls a file missing that it may not open
            pass
        return load_file(path)
    except OSError as error:
        cause = f"it cannot be read ({error.strerror or error})"
        raise DataError(path, cause, remedy=remedy) from error
    except _DAMAGE as error:
        raise DataError(path, f"it cannot be read ({error})", remedy=remedy) from error


def read_torch(path: Path, remedy: str) -> Any:
    """Read what ``torch.save`` wrote: tensors, numbers and text in plain containers, on the CPU.

    Raises
    ------
    DataError
        If it is missing or damaged; ``remedy`` is what to do about it.

    """
    try:
        verify_archive(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        cause = f"it cannot be read ({error.strerror or error})"
        raise DataError(path, cause, remedy=remedy) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(path, f"it cannot be read ({error})", remedy=remedy) from error


def verify_archive(path: Path) -> None:
    """Verify the checksums in a file of ``torch.save``, which ``torch.load`` ignores.

    Raises
    ------
    ValueError
        If one is wrong, or it is no such file.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, LookupError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{error}") from error
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} is wrong")
