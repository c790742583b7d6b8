"""Kill a training again and again (kill -9), and check that it ends as if nobody had touched it.

Runs are made with the flags of `train`: one left in peace, the others killed at random moments and resumed each time,
as many as so many kills take. Their weights, losses and row losses must be equal bit for bit, as they are on a CPU with
fixed threads.
"""

from __future__ import annotations

import argparse
import random
from typing import Any

from studio import wording
from studio.campaign import SPARED, campaign
from studio.commands import models
from studio.commands.frame import CommandFailed, Context
from studio.commands.run_settings import add_settings, settings_from
from studio.errors import BadInput, JobFailed

TIMES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--times", type=int, default=TIMES, metavar="N", help=f"how often it is killed; default {TIMES}"
    )
    parser.add_argument("--moments", type=int, default=None, metavar="N", help="a number that fixes the moments")
    add_settings(parser)


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    if args.times < 1:
        raise BadInput("A campaign kills at least once.", f"--times is {args.times}.", "Give --times 1 or more.")
    settings = settings_from(args)
    models.ensure_starter(context, settings.model)
    outcome = campaign(context.workspace, settings, args.times, random.Random(args.moments), context.terminal.say)
    if outcome.different:
        failed = JobFailed(
            "The killed run did not end as the other one.",
            f"After {wording.count(outcome.kills, 'kill')} these differ: {', '.join(outcome.different[:8])}.",
            f"Compare {outcome.whole} and {outcome.killed[-1]}; on a GPU the last digits may differ.",
        )
        raise CommandFailed(failed, **outcome.as_dict())
    if outcome.kills < args.times:
        failed = JobFailed(
            f"There {'was' if outcome.kills == 1 else 'were'} only {outcome.kills} of {args.times} kills.",
            f"The last {SPARED} runs were over before they could be killed.",
            "Give them more steps (--max-steps).",
        )
        raise CommandFailed(failed, **outcome.as_dict())
    return outcome.as_dict()


def show(result: dict[str, Any]) -> str:
    kinds = ", ".join(f"{result['moments'].count(kind)} {kind}" for kind in dict.fromkeys(result["moments"]))
    return (
        f"{wording.count(result['kills'], 'kill')} ({kinds}): {', '.join(result['killed'])} ended with the very "
        f"weights, losses and row losses of {result['whole']}."
    )
