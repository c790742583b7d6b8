"""The benchmarks that run on a CPU run on a GPU too; their ratios are printed, not asserted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(1800)
@pytest.mark.starter
@pytest.mark.parametrize("name", ["speed", "llama-factory", "trl", "gradients", "flat"])
def test_a_benchmark_runs(
    name: str,
    starter: Path,
    real_data: Path,
    workspace: Workspace,
    outside: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the network as the user has it: TRL and LLaMA-Factory are fetched."""
    shutil.copytree(starter, workspace.models / "starter")
    command = [sys.executable, "launch.py", "benchmark", name, "--json", "--workspace", str(workspace.root)]
    done = subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    with capsys.disabled():
        print(f"\n{name}: {json.dumps(json.loads(done.stdout), indent=1)[:3000]}")
