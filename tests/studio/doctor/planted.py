"""A set of conversations with known faults planted in it, and decoys that look like faults and are none.

    python -m tests.studio.doctor.planted [--rows 100000]

prints precision and recall of every finding, and how long the doctor took.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stdnum import iban, luhn
from stdnum.es import dni
from stdnum.it import codicefiscale

from studio.datasets.importing.steps import import_file
from studio.datasets.store import Dataset
from studio.doctor.examination import Round
from studio.settings.doctor import DoctorSettings
from studio.settings.importing import ImportSettings
from studio.workspace import Workspace

WORDS = """garden river kitchen teacher window harvest museum engine letter mountain library painter bridge market
festival hospital computer sculpture village orchestra journey recipe weather soldier captain forest island station
carpet lantern bicycle airport theatre factory castle desert valley planet ocean farmer doctor lawyer student pilot
baker singer writer nurse judge sailor tailor merchant blanket mirror pencil basket bottle hammer ladder candle
umbrella notebook suitcase telescope piano violin trumpet guitar drum flute camera printer keyboard monitor;
describes repairs follows improves collects explains measures protects surprises visits replaces remembers
examines decorates supports discovers prepares connects answers observes balances challenges carries delivers encourages
entertains gathers handles imagines inspects introduces manages notices organises paints performs plants polishes
prevents produces questions reaches records reduces reflects releases rescues restores reveals serves shapes;
quiet ancient bright careful distant early famous gentle heavy honest narrow patient plain proud rapid
rare rough round sharp silent simple slow smooth solid strange strong sudden sweet tall thick tiny useful warm wide wild
wooden young broken clever curious eager foreign golden hidden modern northern public royal secret southern"""
NOUNS, VERBS, ADJECTIVES = (part.split() for part in WORDS.split(";"))
PLACES = "near the harbour;in the morning;after the meeting;behind the school;during the winter;with great care;" + (
    "before the holidays;at the old market;under the big tree;along the coast;without a plan;for many years;"
    "across the border;between two hills;on the second floor;at the end of the street;beside the church;in a hurry"
)
FOREIGN = {
    "de": "Der alte Garten hinter dem Haus war im Frühling voller Blumen, und die Kinder spielten dort jeden Tag bis "
    "zum Abend, während ihre Großmutter am Fenster saß und Briefe an ihre Freundin schrieb.",
    "fr": "Le vieux jardin derrière la maison était rempli de fleurs au printemps, et les enfants y jouaient chaque "
    "jour jusqu'au soir, pendant que leur grand-mère écrivait des lettres près de la fenêtre.",
    "es": "El viejo jardín detrás de la casa estaba lleno de flores en primavera, y los niños jugaban allí todos los "
    "días hasta la noche, mientras su abuela escribía cartas junto a la ventana.",
}
DECOYS = (
    "The order number is {n16} and it was sent on 2024-03-{d2}.", "Version {s}.{s}.{s}.{s} was released last week.",
    "Write to sales@example.com for an example.", "The device answers at 192.168.{b}.{b}.",
    "It costs {n4} euros in all.",
    "The reference is GB{d2} {n4} {n4} {n4} {n4} {n2} in their system.", "The ISBN is 978-3-16-1484{d2}-0.",
    "In {year}-{year} there were {n4} {n4} visitors.", "The language model was trained by a team of {n2} people.",
    "The fictional number 202-555-0143 is used in films.", "The parcel {n10} weighs {d2}.5 kg.", "He said: “Déjà vu.”",
    "The part is called {n8}X in the catalogue.", "Call it {n4}/{n2} for short.", "The hash starts with {n8}:{n4}.",
    "The picture is {noun}@2x.png.", "Install {noun}@latest.tgz first.", "Clone git@github.com:{noun}/{noun}.git now.",
    "The reference is gb{d2}-{n4}-{n4}-{n4}-{n4}-{n2} in their system.", "The serial is {dotted}.",
    "Lot {n8}1 is here.", "In {year} there were {n4}\u00a0{n4} visitors.",
    "The number {n16} 12/26 is not theirs.", "The mean is 4.{n16}.",
    "The café charged €{d2} for naïve art.", "I am sorry to hear that the {noun} is late.",
)  # fmt: skip
BETWEEN = (" ", "-", "\u00a0", "\u202f", "\u2011")  # what stands between the groups of a long number


@dataclass
class Planted:
    """Rows as a file has them, and of each kind the numbers (from 0) of the rows that were planted.

    Attributes:
        twins: rows that are copies of one another, by kind; the later one in the file is the copy.
    """

    rows: list[dict[str, Any]]
    truth: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    twins: list[tuple[str, int, int]] = field(default_factory=list)


class Gardener:
    """Grows a set, then plants."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.places = PLACES.split(";")
        self.planted = Planted([])

    def sentence(self) -> str:
        pick = self.random.choice
        one, two, three = pick(NOUNS), pick(NOUNS), pick(NOUNS)
        ending = f"the {pick(ADJECTIVES)} {two} and the {three} {pick(self.places)}"
        return f"The {pick(ADJECTIVES)} {one} {pick(VERBS)} {ending}."

    def text(self, least: int, most: int) -> str:
        return " ".join(self.sentence() for _ in range(self.random.randint(least, most)))

    def row(self, split: str = "train") -> int:
        noun, verb = self.random.choice(NOUNS), self.random.choice(VERBS)
        asked = f"{self.text(1, 3)} Who {verb} the {self.random.choice(ADJECTIVES)} {noun}, and why?"
        answered = self.text(2, 6)
        if self.random.random() < 0.3:
            answered += f" {self.decoy()}"
        return self.add(asked, answered, split)

    def add(self, asked: str, answered: str, split: str = "train") -> int:
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        self.planted.rows.append({"messages": turns, "split": split})
        return len(self.planted.rows) - 1

    def decoy(self) -> str:
        digits = lambda count: "".join(self.random.choice("0123456789") for _ in range(count))  # noqa: E731
        number = digits(16)
        while luhn.is_valid(number):
            number = digits(16)
        return self.random.choice(DECOYS).format(
            n16=number, dotted=".".join(number[at : at + 4] for at in range(0, 16, 4)),
            n10=digits(10), n8=digits(8), n4=f"{self.random.randint(1000, 9999)}", n2=digits(2),
            d2=f"{self.random.randint(10, 28)}", s=self.random.randint(0, 19), b=self.random.randint(1, 254),
            year=self.random.randint(1950, 2020), noun=self.random.choice(NOUNS),
        )  # fmt: skip

    def parts(self, number: int) -> tuple[str, str]:
        turns = self.planted.rows[number]["messages"]
        return turns[0]["content"], turns[1]["content"]

    def some(self, rows: list[int]) -> int:
        """A row that nothing else was made of."""
        return rows.pop(self.random.randrange(len(rows)))

    def change(self, text: str) -> str:
        """A near copy: one word replaced, another case or other punctuation."""
        words = text.split(" ")
        # Another number would make another row of it.
        places = [place for place, word in enumerate(words) if not any(letter.isdigit() for letter in word)]
        words[self.random.choice(places)] = self.random.choice(ADJECTIVES)
        changed = " ".join(words)
        return self.random.choice([changed, changed.upper(), changed.replace(".", " !"), f"  {changed}"])

    def mark(self, kind: str, *numbers: int) -> None:
        self.planted.truth[kind] |= set(numbers)


def grow(rows: int, each: int, seed: int = 1) -> Planted:
    """About `rows` rows, with `each` of every fault planted."""
    grown = Gardener(seed)
    training = [grown.row() for _ in range(int(rows * 0.8))]
    held = [grown.row("validation") for _ in range(int(rows * 0.1))] + [
        grown.row("test") for _ in range(int(rows * 0.1))
    ]
    for _ in range(each):
        _copies(grown, training, held)
        _content(grown)
        _personal(grown)
    grown.random.shuffle(order := list(range(len(grown.planted.rows))))
    return _shuffled(grown.planted, order)


def _shuffled(planted: Planted, order: list[int]) -> Planted:
    """The same in another order."""
    places = {old: new for new, old in enumerate(order)}
    truth: dict[str, set[int]] = defaultdict(set)
    for kind, numbers in planted.truth.items():
        truth[kind] = {places[number] for number in numbers}
    for kind, one, two in planted.twins:
        truth[kind].add(max(places[one], places[two]))
    return Planted([planted.rows[old] for old in order], truth)


def _copies(grown: Gardener, training: list[int], held: list[int]) -> None:
    at = grown.some(training)
    grown.planted.twins.append(("duplicates", at, grown.add(*grown.parts(at))))
    at = grown.some(training)
    grown.planted.twins.append(("near_duplicates", at, grown.add(*map(grown.change, grown.parts(at)))))
    at = grown.some(training)
    grown.mark("contradictions", at, grown.add(grown.parts(at)[0], grown.text(2, 4)))
    grown.mark("leaks", grown.add(*grown.parts(grown.some(held))))
    grown.mark("leaks", grown.add(*map(grown.change, grown.parts(grown.some(held)))))
    at = grown.some(held)  # answered differently on two sides: a leak, and a contradiction besides
    leak = grown.add(grown.parts(at)[0], grown.text(3, 5))
    grown.mark("leaks", leak)
    grown.mark("contradictions", at, leak)
    at = grown.some(held)
    other = "test" if grown.planted.rows[at]["split"] == "validation" else "validation"
    grown.mark("contradictions", at, grown.add(grown.parts(at)[0], grown.text(2, 4), other))


def _content(grown: Gardener) -> None:
    pick = grown.random.choice
    refusal = pick(("As an AI language model, I can't do that.", "I'm sorry, but I cannot help with that request."))
    grown.mark("refusals", grown.add(grown.text(2, 3), f"{refusal} {grown.text(1, 2)}"))
    asked = grown.text(2, 3)
    grown.mark("echoes", grown.add(asked, f"{asked} {grown.text(1, 2)}"))
    mark = pick(("<|im_end|>", "<|eot_id|>", "[INST]", "<|im_start|>user"))
    grown.mark("special_tokens", grown.add(grown.text(2, 3), f"{grown.text(1, 2)} {mark} {grown.text(1, 2)}"))
    broken = pick(("The café in Köln isn’t far.", "A naïve señor said “hello”.", "Crème brûlée costs 5 € – really."))
    broken = broken.encode().decode("cp1252", "ignore")
    grown.mark("encoding", grown.add(grown.text(2, 3), f"{grown.text(1, 2)} {broken} {grown.sentence()}"))
    grown.mark(
        "lost_letters", grown.add(grown.text(2, 3), f"{grown.text(1, 2)} The caf\ufffd is far. {grown.sentence()}")
    )
    foreign = f"{pick(list(FOREIGN.values()))} {grown.random.random()}"
    grown.mark("languages", grown.add(f"{grown.text(2, 3)}", foreign))


def _personal(grown: Gardener) -> None:
    made: dict[str, Callable[[random.Random], str]] = {
        "emails": email, "phones": phone, "cards": card, "ibans": account, "ip_addresses": address,
        "national_ids": national_id,
    }  # fmt: skip
    for kind, make in made.items():
        grown.mark(kind, grown.add(grown.text(1, 2), f"{grown.sentence()} {make(grown.random)} {grown.text(1, 2)}"))


def digits_of(draw: random.Random, count: int) -> str:
    return "".join(draw.choice("0123456789") for _ in range(count))


def email(draw: random.Random) -> str:
    first = draw.choice(["", "o'"])
    name = f"{first}{draw.choice(NOUNS)}{draw.choice(['.', '_', '-', ''])}{draw.choice(NOUNS)}{draw.randint(1, 99)}"
    return f"Write to {name}@{draw.choice(NOUNS)}-{draw.choice(NOUNS)}.{draw.choice(['com', 'de', 'co.uk', 'org'])}."


def phone(draw: random.Random) -> str:
    area = draw.choice(["415", "212", "303", "617", "702", "206"])
    rest = f"{draw.randint(220, 499)}-{draw.randint(1000, 9999)}"
    forms = (f"({area}) {rest}", f"{area}-{rest}", f"+1 {area} {rest}", f"+49 30 {draw.randint(2000000, 8999999)}",
             f"+44 20 7946 {draw.randint(1000, 9999)}", f"+33 1 42 68 53 {draw.randint(10, 99)}")  # fmt: skip
    return f"Their number is {draw.choice(forms)}."


def card(draw: random.Random) -> str:
    start, length = draw.choice([("4", 16), ("51", 16), ("37", 15), ("6011", 16)])
    digits = start + digits_of(draw, length - len(start) - 1)
    digits += luhn.calc_check_digit(digits)
    parted = " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
    dated = f"{parted} {draw.randint(1, 12):02}/27 {digits_of(draw, 3)}"
    forms = [digits, dated, *(parted.replace(" ", between) for between in BETWEEN)]
    if length == 16:
        forms.append(parted.replace(" ", "."))
    return f"The card {draw.choice(forms)} was charged."


def account(draw: random.Random) -> str:
    country, body = draw.choice([("DE", digits_of(draw, 18)), ("AT", digits_of(draw, 16)), ("CH", digits_of(draw, 17))])
    number = country + iban.calc_check_digits(f"{country}00{body}") + body
    parted = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    forms = [number, number.lower(), parted.lower(), *(parted.replace(" ", between) for between in BETWEEN)]
    return f"Please pay to {draw.choice(forms)} this week."


def address(draw: random.Random) -> str:
    parts = [draw.choice([81, 93, 134, 151, 212]), *(draw.randint(33, 250) for _ in range(3))]
    return f"The request came from {'.'.join(map(str, parts))} at night."


def national_id(draw: random.Random) -> str:
    spanish = digits_of(draw, 8)
    body = (
        "".join(draw.choice("BCDFGHLMNPRST") for _ in range(6)) + f"{draw.randint(40, 99)}A{draw.randint(10, 28)}H501"
    )
    american = f"{draw.randint(100, 665)}-{draw.randint(10, 99)}-{draw.randint(1000, 9999)}"
    forms = (american, f"SSN {american.replace('-', '')}", spanish + dni.calc_check_digit(spanish),
             body + codicefiscale.calc_check_digit(body))  # fmt: skip
    return f"The id is {draw.choice(forms)} on paper."


def found_in(dataset: Dataset, planted: Planted, **settings: Any) -> tuple[dict[str, set[int]], float]:
    """(kind → numbers of the rows found, seconds of one core)."""
    began = time.process_time()
    given = DoctorSettings(dataset=dataset.name, **settings)
    examined = Round(dataset, given, None, lambda *_: None, lambda: False).examine()
    seconds = time.process_time() - began
    lines = {row.row_id: row.source_line - 1 for row in dataset.rows()}
    found: dict[str, set[int]] = defaultdict(set)
    for line in examined.table.to_pylist():
        found[line["kind"]].add(lines[line["row_id"]])
    return found, seconds


def alike(planted: Planted, kind: str, found: set[int]) -> tuple[float, float]:
    """(precision, recall)."""
    truth = planted.truth[kind]
    right = len(truth & found)
    return right / max(1, len(found)), right / max(1, len(truth))


def table(planted: Planted, found: dict[str, set[int]]) -> str:
    lines = [f"{'finding':<18}{'planted':>8}{'found':>8}{'precision':>11}{'recall':>8}"]
    for kind in sorted({*planted.truth, *found}):
        precision, recall = alike(planted, kind, found[kind])
        if planted.truth[kind]:
            lines.append(
                f"{kind:<18}{len(planted.truth[kind]):>8}{len(found[kind]):>8}{precision:>11.3f}{recall:>8.3f}"
            )
        else:
            lines.append(f"{kind:<18}{0:>8}{len(found[kind]):>8}{'':>11}{'':>8}")
    return "\n".join(lines)


def imported(workspace: Workspace, planted: Planted, name: str = "planted") -> Dataset:
    source = workspace.root.parent / f"{name}.jsonl"
    source.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in planted.rows), encoding="utf-8")
    import_file(workspace, ImportSettings(source=str(source), name=name))
    return Dataset.open(workspace, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--each", type=int, default=200)
    rows = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        planted = grow(rows.rows, rows.each)
        dataset = imported(Workspace.open(Path(folder) / "workspace"), planted)
        found, seconds = found_in(dataset, planted)
    print(table(planted, found))
    whole = 1e5 * seconds / len(planted.rows)
    print(f"{len(planted.rows):,} rows in {seconds:.1f} s of one core: {whole:.0f} s for 100,000")


if __name__ == "__main__":
    main()
