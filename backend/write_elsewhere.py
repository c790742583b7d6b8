"""Writes more rows by a model at an address: `python -m backend.write_elsewhere FOLDER`.

A job of its own beside write_rows, as it does not need the device and waits for nobody who has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.completions import Address
from backend.job import Job, run_job
from backend.write_rows import TOKENS, Turns, Write, settings_of, write_all
from studio import preferences
from studio.settings.writing import WriteSettings


def main(job: Job) -> dict[str, Any]:
    """Writes what the settings say, by the model at their address."""
    return write_all(job, settings_of(job), remote_writer)


def remote_writer(job: Job, settings: WriteSettings) -> Write:
    """The model at the address; one on another machine is asked only when the studio may use the network."""
    address = Address(settings.address, settings.writer)
    if not address.here:
        preferences.check_online(job.workspace, f"{address.url.netloc} can't be asked.")

    def write(prompts: Sequence[Turns], seeds: Sequence[int]) -> list[str]:
        return address.write(prompts, settings.temperature, seeds, TOKENS, job.should_stop)

    return write


if __name__ == "__main__":
    run_job(main)
