"""Every kind of finding: what it is called, why it matters, how much, and what its fix does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["harm", "mend", "note"]
Deed = Literal["exclude", "edit", "review", ""]
SEVERITIES: tuple[Severity, ...] = ("harm", "mend", "note")


@dataclass(frozen=True)
class Kind:
    """One kind of finding.

    Args:
        name: its name in commands, files and addresses.
        family: what it is looked for with; a family can be left out of an examination.
        title: what the page calls it.
        why: one sentence on why it matters.
        severity: `harm` spoils the model, its privacy or its score; `mend` is worth mending; `note` is good to know.
        deed: what its fix does to a row: leave it out, give it another text, or send it to the review queue.
        fix: the fix in words that go on after “12 rows: ”.
    """

    name: str
    family: str
    title: str
    why: str
    severity: Severity
    deed: Deed = ""
    fix: str = ""


ALL = (
    Kind(
        "leaks", "copies", "Training rows that are also held out",
        "The score would be too good: the model has seen the question, or a near copy of it, in the training.",
        "harm", "exclude", "the training copy is left out, the held-out row stays",
    ),
    Kind(
        "benchmarks", "benchmarks", "Training rows that stand in a benchmark",
        "A score on that benchmark would say what was remembered, not what was learned.",
        "harm", "exclude", "left out",
    ),
    Kind(
        "probes", "probes", "Training rows that hold an ability probe",
        "With short general questions of its own the studio tells what a model can do; such a row teaches an answer.",
        "harm", "exclude", "left out",
    ),
    Kind(
        "empty_answers", "answers", "Empty answers",
        "The model learns to answer with nothing.",
        "harm", "exclude", "left out",
    ),
    Kind(
        "nothing", "tokens", "Rows that train nothing",
        "No token of them is learned: the answer lies beyond the cut-off, or the model’s template refuses the row.",
        "harm", "exclude", "left out",
    ),
    Kind(
        "turn_order", "turns", "Broken order of turns",
        "Templates refuse such conversations, or write them in a way the model never meets later.",
        "harm", "review", "sent to the review queue",
    ),
    Kind(
        "special_tokens", "marks", "Marks of a chat template inside the text",
        "The model takes them for the real end or beginning of a turn, so the conversation falls apart.",
        "harm", "edit",
        "the marks are taken out of the text; where several speak in one text, the row is sent to the review queue",
    ),
    Kind(
        "cards", "personal", "Card numbers",
        "A tuned model can repeat them word for word to anyone who asks.",
        "harm", "edit", "each is masked",
    ),
    Kind(
        "ibans", "personal", "Bank accounts (IBAN)",
        "A tuned model can repeat them word for word to anyone who asks.",
        "harm", "edit", "each is masked",
    ),
    Kind(
        "national_ids", "personal", "National id numbers",
        "A tuned model can repeat them word for word to anyone who asks.",
        "harm", "edit", "each is masked",
    ),
    Kind(
        "emails", "personal", "E-mail addresses",
        "A tuned model can repeat them, or write to real people’s addresses.",
        "harm", "edit", "each is masked",
    ),
    Kind(
        "phones", "personal", "Phone numbers",
        "A tuned model can repeat them, or send callers to real people.",
        "harm", "edit", "each is masked",
    ),
    Kind(
        "ip_addresses", "personal", "IP addresses",
        "They can lead to a person or a machine; private and reserved addresses are not counted.",
        "mend", "edit", "each is masked",
    ),
    Kind(
        "contradictions", "copies", "The same prompt with different answers",
        "Where only one answer is right, the model learns to guess or is scored wrong. Where several are, all is well.",
        "mend", "review", "sent to the review queue, where you choose",
    ),
    Kind(
        "duplicates", "copies", "Duplicates",
        "A row that stands there several times counts several times, and is learned by heart.",
        "mend", "exclude", "copies are left out; the accepted one, or else the first, stays",
    ),
    Kind(
        "near_duplicates", "copies", "Near-duplicates",
        "Rows with almost the same words teach almost nothing more, and make the model repeat them.",
        "mend", "exclude", "near copies are left out; the accepted one, or else the first, stays",
    ),
    Kind(
        "encoding", "letters", "Broken letters",
        "A text read in the wrong encoding (“cafÃ©”) teaches the model to write it so.",
        "mend", "edit", "the letters are repaired",
    ),
    Kind(
        "lost_letters", "letters", "Lost letters",
        "Where � or a control character stands, a letter was lost before the file came here.",
        "mend", "review", "sent to the review queue",
    ),
    Kind(
        "refusals", "answers", "Refusals and boilerplate",
        "Answers such as “As an AI language model …” teach the model to refuse, and to say what it is not asked.",
        "mend", "exclude", "left out",
    ),
    Kind(
        "echoes", "answers", "Answers that repeat the prompt",
        "The model learns to say the question again before it answers, or instead.",
        "mend", "edit", "the repeated question is cut off; where nothing else is said, the row is left out",
    ),
    Kind(
        "cut", "tokens", "Rows cut off at the chosen length",
        "The model never sees how these answers end, and learns to stop nowhere.",
        "mend", "exclude", "left out; or choose a longer cut-off for the run",
    ),
    Kind(
        "languages", "languages", "Rows in another language",
        "A few rows in another language make the model switch when nobody asked for it; meant ones can stay.",
        "mend", "review", "sent to the review queue",
    ),
    Kind(
        "several_languages", "languages", "Several languages, none of them the main one",
        "The model learns to answer in each of them, from so many rows as there are of it; good where that is meant. "
        "What a language has few rows of is learned badly.",
        "note",
    ),
    Kind(
        "label_variants", "labels", "Labels written in several ways",
        "“Refund” and “refund ” are two labels to the model, and each gets half of the examples.",
        "mend", "edit", "each gets the most frequent way to write it",
    ),
    Kind(
        "misspelt_labels", "labels", "Labels that look misspelt",
        "A slip of the pen (“biling” once, “billing” 40 times) is one more label to the model, and is tested as one.",
        "mend", "edit", "each gets the frequent label that it is one letter away from",
    ),
    Kind(
        "alike", "copies", "Rows that are nearly alike",
        "Most of their wording is the same. Where they differ in a number, a denial or the answer both may be needed; "
        "what is a mere copy is listed above. A split keeps each group on one side, so that none leaks.",
        "note",
    ),
    Kind(
        "labels", "labels", "Unbalanced labels",
        "The model learns to give the frequent label; the rare ones are hardly learned.",
        "note",
    ),
    Kind(
        "tags", "labels", "Unbalanced tags",
        "What is rare is learned less; more rows of the rare kind help more than more of the frequent.",
        "note",
    ),
    Kind(
        "openings", "answers", "Answers that all begin alike",
        "The model will begin every answer so; good where that is the house style, bad where it is a habit.",
        "note",
    ),
    Kind(
        "too_few", "amount", "Few rows",
        "With few examples the model learns them by heart instead of the task.",
        "note",
    ),
)  # fmt: skip
KINDS = {kind.name: kind for kind in ALL}
FIXABLE = tuple(kind.name for kind in ALL if kind.deed)
FAMILIES = tuple(dict.fromkeys(kind.family for kind in ALL))
PERSONAL = tuple(kind.name for kind in ALL if kind.family == "personal")


def ordered(names: list[str]) -> list[str]:
    """Kinds with the gravest first, in the order in which they are declared."""
    places = {kind.name: (SEVERITIES.index(kind.severity), place) for place, kind in enumerate(ALL)}
    return sorted(names, key=places.__getitem__)
