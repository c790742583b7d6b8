"""Which run a command line means: a preset, then a settings file, then flags, each winning over the one before."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from studio import presets
from studio.errors import BadInput
from studio.settings.base import check
from studio.settings.files import read_config
from studio.settings.flags import add_flags, collect, merge
from studio.settings.train import TrainSettings


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What says which run is meant."""
    parser.add_argument("--preset", choices=presets.names(), help="a set of settings to start from")
    parser.add_argument("--config", metavar="FILE", help="a settings file (JSON) to start from; flags win over it")
    add_flags(parser, TrainSettings)


def settings_from(args: argparse.Namespace) -> TrainSettings:
    """Preset, then file, then flags, each winning over the one before."""
    layers = [presets.load(args.preset).settings] if args.preset else []
    layers += [read_config(Path(args.config))] if args.config else []
    layers.append(collect(args, TrainSettings))
    return check(TrainSettings, merge_layers(layers))


def merge_layers(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """`merge`; and steps given over a file's passes take their place, and the other way round."""
    result: dict[str, Any] = {}
    for layer in layers:
        for one, other in (("epochs", "max_steps"), ("max_steps", "epochs")):
            if layer.get(one) is not None and layer.get(other) is None:
                result.pop(other, None)
        result = merge(TrainSettings, result, layer)
    if "dataset" not in result:
        raise BadInput("No dataset is named.", "A run learns from one.", "Give --dataset NAME.", field="dataset")
    return result
