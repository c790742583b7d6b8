"""Events and numbers in plain words, for the terminal and the page."""

from __future__ import annotations

from typing import Any


def duration(seconds: float) -> str:
    """`40 s`, `3 min 20 s`, `2 h 5 min`."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """Bytes as people say them: `512 kB`, `1.5 GB` (powers of 1000)."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit in ("bytes", "kB") or count >= 100 else f"{count:.1f} {unit}"


def number(count: float) -> str:
    """`12,345`."""
    return f"{count:,.0f}"


def count(amount: int, noun: str) -> str:
    """`1 row`, `3 rows`."""
    return f"{number(amount)} {noun if amount == 1 else noun + 's'}"


def event(line: dict[str, Any]) -> str | None:
    """One event as a sentence; None for those that people need not read."""
    kind = line.get("type")
    step = line.get("step")
    match kind:
        case "created":
            return "Waiting for its turn."
        case "queued":
            return "In the queue again."
        case "starting":
            return "Starting."
        case "loading":
            return f"Loading {line.get('item') or 'the model'}."
        case "resumed":
            return f"Going on from step {line['from_step']}." if line.get("from_step") else "Beginning again."
        case "training":
            return f"Training: {count(line.get('total_steps') or 0, 'step')}."
        case "eval":
            loss = line.get("loss")
            return f"Step {step}: validation loss {loss:.4f}." if isinstance(loss, float) else None
        case "checkpoint":
            return f"Step {step}: resume point saved."
        case "message":
            return str(line.get("text", ""))
        case "diverged":
            return f"Step {step}: the loss is no longer a number."
        case "stopping":
            return "Stopping: saving what there is."
        case "stopped":
            return f"Stopped at step {step}." if step else "Stopped."
        case "failed":
            return " ".join(str(line[key]) for key in ("what", "why", "next") if line.get(key))
        case "finished":
            return "Finished."
    return None


def metric(line: dict[str, Any], total_steps: int | None = None) -> str | None:
    """A line of metrics.jsonl as a short progress text."""
    if line.get("type") == "step":
        loss, speed = line.get("loss"), line.get("tokens_per_second")
        parts = [f"step {line.get('step')}" + (f" of {total_steps}" if total_steps else "")]
        parts += [f"loss {loss:.3f}"] if isinstance(loss, float) else []
        parts += [f"{speed:.0f} tokens/s"] if isinstance(speed, int | float) else []
        return ", ".join(parts)
    if line.get("type") == "progress":
        done, total, unit = line.get("done") or 0, line.get("total"), line.get("unit") or ""
        text = str(line.get("message") or "")
        if text and not done and not total:
            return text  # nothing is counted (yet)
        amount = (
            (f"{size(done)} of {size(total)}" if total else size(done))
            if unit == "bytes"
            else f"{number(done)} of {number(total)} {unit}"
            if total
            else f"{number(done)} {unit}"
        )
        return f"{text} {amount}".strip()
    return None
