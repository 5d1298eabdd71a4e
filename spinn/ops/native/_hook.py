"""Compiles the loops when a wheel is built or the package is installed from its sources."""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path(__file__).parent


class CompiledLoops(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Add the library to the wheel; without a C compiler, the wheel is for all systems."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the loops into their folder."""
        if self.target_name != "wheel":
            return
        for former in FOLDER.glob("kernels-*.so"):
            former.unlink()
        library = runpy.run_path(str(FOLDER / "sources.py"))["compile_library"]()
        if library is None:
            self.app.display_warning("There is no C compiler: composition on the CPU is slower.")
            return
        system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{system}"
        build_data["artifacts"].append(f"spinn/ops/native/{library.name}")
