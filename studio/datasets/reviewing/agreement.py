"""How far reviewers agree beyond chance, question by question, from judgements made without knowing the others'.

Cohen's kappa for each two reviewers (Cohen 1960, “A coefficient of agreement for nominal scales”), Krippendorff's
alpha for any number of them and for rows that not all have judged (the `krippendorff` package); ratings are ordered,
everything else is not. Marked spans have no kappa, for what was not marked can't be counted; there it is the F1 of one
reviewer's spans against the other's (Hripcsak & Rothschild 2005).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

from studio.datasets.reviewing.judgements import DISCARDED, WHOLE, span_key
from studio.datasets.reviewing.log import Deed

Values = Mapping[str, Mapping[str, Any]]  # reviewer → row id → value
Level = Literal["nominal", "ordinal"]
DRAWS = (0.8, "good"), (0.667, "fair")  # Krippendorff 2004, “Content Analysis”, chapter 11


def report(rows: Mapping[str, Mapping[str, Deed]]) -> dict[str, Any]:
    """The agreement on each question that at least two reviewers answered for the same rows.

    Args:
        rows: row id → reviewer → their judgement, with what stood for it (standing.py).

    Returns:
        `reviewers`: each with `by` and `rows`; `questions`: each with `name`, `level`, `rows` that two or more judged,
        `same`: the share of them on which all agree, `kappa` and `alpha` (None where they have no value), `words`, and
        `pairs` of reviewers with their `rows`, `same` and `kappa` (`f1` for spans).
    """
    judged = Counter(by for row in rows.values() for by in row)
    questions = [
        _question("Keep or discard", "nominal", _values(rows, "status")),
        _question("Label", "nominal", _values(rows, "label")),
        _question("Better answer", "nominal", _values(rows, "choice")),
        *(_question(name or "The whole", "ordinal", _values(rows, "ratings", name)) for name in _rated(rows)),
        _spans(rows),
    ]
    return {
        "reviewers": [{"by": by, "rows": count} for by, count in sorted(judged.items())],
        "questions": [question for question in questions if question],
    }


def _rated(rows: Mapping[str, Mapping[str, Deed]]) -> list[str]:
    names = {name for row in rows.values() for deed in row.values() for name in deed.get("ratings") or {}}
    return sorted(names, key=lambda name: (name != WHOLE, name))


def _values(rows: Mapping[str, Mapping[str, Deed]], of: str, rating: str | None = None) -> dict[str, dict[str, Any]]:
    """Reviewer → row id → what they answered, rows without an answer left out."""
    found: dict[str, dict[str, Any]] = {}
    for row_id, row in rows.items():
        for by, deed in row.items():
            value = deed.get(of) if rating is None else (deed.get(of) or {}).get(rating)
            if value is not None:
                found.setdefault(by, {})[row_id] = value
    return found


def _question(name: str, level: Level, values: Values) -> dict[str, Any] | None:
    judged = Counter(row for of_one in values.values() for row in of_one)
    shared = [row for row, count in judged.items() if count > 1]
    if not shared:
        return None
    same = sum(len({of_one[row] for of_one in values.values() if row in of_one}) == 1 for row in shared)
    pairs = []
    for one, other in combinations(sorted(values), 2):
        both = [row for row in values[one] if row in values[other]]
        if both:
            first, second = [values[one][row] for row in both], [values[other][row] for row in both]
            alike = sum(a == b for a, b in zip(first, second, strict=True)) / len(both)
            pairs.append({"by": [one, other], "rows": len(both), "same": alike, "kappa": cohen_kappa(first, second)})
    alpha = krippendorff_alpha(values, level)
    return {
        "name": name,
        "level": level,
        "rows": len(shared),
        "same": same / len(shared),
        "kappa": pairs[0]["kappa"] if len(pairs) == 1 else None,
        "alpha": alpha,
        "words": _words(alpha),
        "pairs": pairs,
    }


def _words(alpha: float | None) -> str:
    if alpha is None:
        return "everybody gave the same answer every time, so there is no chance to compare with"
    return next((words for least, words in DRAWS if alpha >= least), "poor: make the guidelines clearer")


def cohen_kappa(one: Sequence[Any], other: Sequence[Any]) -> float | None:
    """Cohen's kappa of two reviewers' answers to the same rows: (p_o - p_e) / (1 - p_e), unweighted.

    p_o is the share of rows on which they agree, p_e the share on which they would by chance, each answering as often
    so as they do. None when p_e is 1: both gave one and the same answer to every row.
    """
    rows = len(one)
    first, second = Counter(one), Counter(other)
    chance = sum(first[value] * second[value] for value in first) / rows**2
    if chance == 1:
        return None
    return (sum(a == b for a, b in zip(one, other, strict=True)) / rows - chance) / (1 - chance)


def krippendorff_alpha(values: Values, level: Level) -> float | None:
    """Krippendorff's alpha; a row that a reviewer did not judge is missing. None when there is but one answer.

    Args:
        level: nominal, or ordinal for numbers.
    """
    import krippendorff
    import numpy as np

    answers = sorted({value for of_one in values.values() for value in of_one.values()})
    if len(answers) < 2:
        return None
    numbers = {value: float(value if level == "ordinal" else place) for place, value in enumerate(answers)}
    rows = sorted({row for of_one in values.values() for row in of_one})
    data = np.array([[numbers[of_one[row]] if row in of_one else np.nan for row in rows] for of_one in values.values()])
    judged_twice = (~np.isnan(data)).sum(axis=0) > 1
    if len(np.unique(data[:, judged_twice][~np.isnan(data[:, judged_twice])])) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(krippendorff.alpha(reliability_data=data, level_of_measurement=level))


def _spans(rows: Mapping[str, Mapping[str, Deed]]) -> dict[str, Any] | None:
    """Over the rows in which at least one of two reviewers marked something."""
    marked: dict[str, dict[str, set[Any]]] = {}
    for row_id, row in rows.items():
        for by, deed in row.items():
            if "spans" in deed or deed["status"] != DISCARDED:  # of a row that goes, nobody need say what is marked
                marked.setdefault(by, {})[row_id] = {span_key(span) for span in deed.get("spans") or []}
    pairs: list[dict[str, Any]] = []
    for one, other in combinations(sorted(marked), 2):
        both = [row for row in marked[one] if row in marked[other] and marked[one][row] | marked[other][row]]
        if both:
            first, second = [marked[one][row] for row in both], [marked[other][row] for row in both]
            alike = sum(a == b for a, b in zip(first, second, strict=True)) / len(both)
            pairs.append({"by": [one, other], "rows": len(both), "same": alike, "f1": span_f1(first, second)})
    if not pairs:
        return None
    judged = sum(pair["rows"] for pair in pairs)
    mean = {name: sum(pair[name] * pair["rows"] for pair in pairs) / judged for name in ("same", "f1")}
    told = {"name": "Marked spans", "level": "spans", "rows": judged, "kappa": None, "alpha": None, "words": ""}
    return told | mean | {"pairs": pairs}


def span_f1(one: Iterable[set[Any]], other: Iterable[set[Any]]) -> float:
    """F1 over all rows: spans count as the same when place, ends and label are."""
    shared = total = 0
    for first, second in zip(one, other, strict=True):
        shared += len(first & second)
        total += len(first) + len(second)
    return 2 * shared / total if total else 1.0
