"""Flags drawn for reading: what the default rules flag in a data set, some of it with its text, spread over the rules.

    python benchmarks/flags.py ../shared/data/dolly --count 100 --seed 97
    python benchmarks/flags.py ../shared/data/banking77 --columns prompt=text,response=category
    python benchmarks/flags.py --tally                    # the table in docs/data-quality.md, from flags_read.csv

Read as `tutelage curate` reads: default rules, then exact repeats. Rules take turns until so many flags are drawn, so
that a rule with few flags is shown whole beside one with thousands. Personal data is shown as it stands: this is for
somebody who has the data anyway. What a person made of such draws is in flags_read.csv: no text, only rows.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tutelage.data import duplicates, quality, reading
from tutelage.data.exchange import exchanges
from tutelage.recipe import DataSettings
from tutelage.records import Example, Finding, Source

READ = Path(__file__).parent / "flags_read.csv"
VERDICTS = ("right", "wrong", "unsure")
_QUOTED = re.compile("\u201c(.*)\u201d", re.DOTALL)
_TURN = re.compile(r" in turn (\d+)")


def drawn(findings: Iterable[Finding], count: int, seed: int) -> list[Finding]:
    """So many findings, by rule and row: each rule's own are shuffled by the seed, and rules take turns."""
    left: dict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=_place):
        left[finding.rule].append(finding)
    for rule, found in left.items():
        random.Random(f"{seed} {rule}").shuffle(found)
    taken: list[Finding] = []
    while len(taken) < count and any(left.values()):
        taken += [left[rule].pop() for rule in sorted(left) if left[rule]]
    return sorted(taken[:count], key=_place)


def _place(finding: Finding) -> tuple[str, str, tuple[int, ...], str]:
    return finding.rule, finding.source.file, finding.source.rows, finding.reason


def flagged(finding: Finding, by_source: Mapping[Source, Sequence[Example]]) -> Sequence[Example]:
    """The conversation that a finding is about; where its row holds several, those in which the rule finds the same."""
    own = by_source.get(finding.source, ())
    rule = quality.RULES.get(finding.rule)
    return [each for each in own if rule(each) == finding] if rule and len(own) > 1 else own


def exchange(example: Example, reason: str, most: int) -> Iterator[str]:
    """The turns that a reason speaks of: the named answer, else the last, what comes before it, and what is quoted."""
    turn, hit = _TURN.search(reason), _QUOTED.search(reason)
    answers = [each.number for each in exchanges(example)]
    answer = int(turn[1]) if turn else answers[-1]
    quoted = hit[1].strip("\u2026 ") if hit else ""
    for number, said in enumerate(example.conversation.turns, 1):
        if number in (answer - 1, answer) or (quoted and quoted in said.text):
            yield f"  {said.role.value} {number}: {shortened(said.text, quoted, most)}"


def shortened(text: str, quoted: str, most: int) -> str:
    """A text of about so many characters: its beginning, its end, and what is quoted with its surroundings."""
    if len(text) <= most:
        return text
    third = most // 3
    spans = [(0, third), (len(text) - third, len(text))]
    if found := quoted and re.search(r"\s+".join(map(re.escape, quoted.split())), text):
        spans.append((max(0, found.start() - third // 2), min(len(text), found.end() + third // 2)))
    shown, end = "", 0
    for start, stop in sorted(spans):
        if stop > end:
            shown += (f" [\u2026 {start - end} characters \u2026] " if start > end else "") + text[
                max(start, end) : stop
            ]
            end = stop
    return shown


def draw(args: argparse.Namespace) -> None:
    """Print how often each rule flags, and the drawn flags with what they are about."""
    dataset = reading.read(DataSettings(columns=args.columns), args.files)
    dataset = duplicates.drop_repeats(quality.apply(dataset))
    by_source: dict[Source, list[Example]] = defaultdict(list)
    for example in dataset.examples:
        by_source[example.source].append(example)
    findings = [each for each in dataset.findings if each.source in by_source]
    some = drawn(findings, args.count, args.seed)
    counts, shares = Counter(each.rule for each in findings), Counter(each.rule for each in some)
    print(f"{len(dataset):,} conversations, {len(findings):,} flags, {len(some)} drawn by seed {args.seed}: ", end="")
    print(", ".join(f"{rule} {shares[rule]} of {counts[rule]:,}" for rule in sorted(counts)) or "none")
    for number, finding in enumerate(some, 1):
        where = f"{Path(finding.source.file).name}:{', '.join(map(str, finding.source.rows))}"
        print(f"\n[{number}] {finding.rule}  {where}\n  reason: {finding.reason}")
        for example in flagged(finding, by_source):
            print("\n".join(exchange(example, finding.reason, args.most)))


def tally() -> None:
    """Print how many of the flags that were read are right, wrong and unsure, by rule and set."""
    with READ.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    told = Counter((row["rule"], row["set"], row["verdict"]) for row in rows)
    sums = Counter((row["rule"], row["verdict"]) for row in rows)
    print("| rule | set | read | right | wrong | unsure |\n|---|---|---|---|---|---|")
    for rule in sorted({row["rule"] for row in rows}):
        sets = sorted({row["set"] for row in rows if row["rule"] == rule})
        lines = [(name, [told[rule, name, verdict] for verdict in VERDICTS]) for name in sets]
        if len(sets) > 1:
            lines.append(("**all**", [sums[rule, verdict] for verdict in VERDICTS]))
        for name, (right, wrong, unsure) in lines:
            print(f"| `{rule}` | {name} | {right + wrong + unsure} | {right} | {wrong} | {unsure} |")


def main() -> None:
    """Draw flags of the files, or tally those that were read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=97)
    parser.add_argument("--columns", default="", help="as data.columns: prompt=text,response=category")
    parser.add_argument("--most", type=int, default=1500, help="characters of a turn that are shown")
    parser.add_argument("--tally", action="store_true", help="count flags_read.csv instead")
    args = parser.parse_args()
    if not args.files and not args.tally:
        parser.error("name a file or folder with examples, or --tally")
    tally() if args.tally else draw(args)


if __name__ == "__main__":
    main()
