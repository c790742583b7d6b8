"""One training by TRL's SFTTrainer, for the benchmark `trl`: `python trl_side.py SETTINGS.json` prints its figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(given: dict[str, Any]) -> dict[str, float]:
    """Trains on `rows` (prompt and completion, as conversations) with LoRA on all linear layers."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    trainer = SFTTrainer(
        model=given["model"],
        args=SFTConfig(**given["arguments"]),
        train_dataset=Dataset.from_list(given["rows"]),
        peft_config=LoraConfig(**given["lora"], target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    found = trainer.train()
    trainer.save_model()
    return {"seconds": found.metrics["train_runtime"], "loss": found.training_loss}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
