"""Recall and precision of near-duplicate pairs against the exact truth, and a race with datasketch."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise

from planted.near import VIEWS, Pair, copies, runs_of, similarity, true_pairs
from planted.rows import clean_rows

from measured.table import Section, missing

TITLE = "Near duplicates"
THRESHOLD, WRONG_BELOW = 0.8, 0.6
RECALL, PRECISION, FASTER = 0.95, 0.95, 5.0


def measure(args: argparse.Namespace) -> Section:
    """Pairs of 0.8 or more must be found; of those reported none may lie below 0.6."""
    try:
        from tutelage.data.near import near_duplicates
    except ImportError as error:
        return missing(TITLE, error)
    section = Section(TITLE)
    made = copies(clean_rows(), args.seed, total=args.rows)
    section.say(
        f"{len(made.pairs)} copies with typos, other words, words left out, sentences moved or added among "
        f"{len(made.rows):,} rows.",
        "The truth is the Jaccard similarity of runs of three words, counted for every pair of rows, planted or not: a "
        f"pair of {THRESHOLD}",
        f"or more has to be found, a reported one below {WRONG_BELOW} is wrong.",
    )
    table: list[list[object]] = []
    for view in VIEWS:
        texts = made.texts(view)
        truth = true_pairs(texts, THRESHOLD)
        started = time.perf_counter()
        reported = {
            (min(n.first, n.second), max(n.first, n.second)): n.similarity for n in near_duplicates(texts, THRESHOLD)
        }
        seconds = time.perf_counter() - started
        planted = len(set(made.pairs) & set(truth))
        table.append([view, len(truth), planted, *_judged(section, view, texts, truth, reported), f"{seconds:.2f} s"])
    head = ["compared", "true pairs", "of them planted", "recall", "reported", "right", "similarity off by", "took"]
    section.table(head, table)
    _race(section, args)
    return section


def _judged(
    section: Section, view: str, texts: Sequence[str], truth: dict[Pair, float], reported: dict[Pair, float]
) -> list[object]:
    true = {pair: truth.get(pair, similarity(texts[pair[0]], texts[pair[1]])) for pair in reported}
    right = sum(share >= WRONG_BELOW for share in true.values())
    off = max((abs(share - reported[pair]) for pair, share in true.items()), default=0.0)
    recall = section.share(f"recall of {view}", len(set(truth) & set(reported)), len(truth), RECALL)
    precision = section.share(f"precision of {view}", right, len(reported), PRECISION)
    return [recall, len(reported), precision, f"{off:.3f}"]


def sketched(texts: Sequence[str]) -> set[Pair]:
    """What datasketch's MinHash and LSH report, as its documentation uses them: 128 permutations, then a look-up."""
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found,unused-ignore]

    runs = [[" ".join(run).encode() for run in runs_of(text)] for text in texts]
    index, found = MinHashLSH(threshold=THRESHOLD, num_perm=128), set()
    for place, (own, sketch) in enumerate(zip(runs, MinHash.bulk(runs, num_perm=128), strict=True)):
        if own:
            found |= {(int(other), place) for other in index.query(sketch)}
            index.insert(place, sketch)
    return found


def _race(section: Section, args: argparse.Namespace) -> None:
    from tutelage.data.near import near_duplicates

    try:
        import datasketch
    except ImportError:
        section.say("datasketch is not installed: `pip install -e '.[bench]'` for the race.")
        return
    made = copies(clean_rows(), args.seed + 1, total=args.speed_rows)
    texts = made.texts("both")
    truth = set(true_pairs(texts, THRESHOLD))
    (
        sketched(texts[:200]),
        near_duplicates(texts[:200], THRESHOLD),
    )  # what is loaded and compiled first counts for neither
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    ours: set[Pair] = set()
    theirs: set[Pair] = set()
    for _ in range(3):
        marks = [time.perf_counter()]
        ours = {(min(n.first, n.second), max(n.first, n.second)) for n in near_duplicates(texts, THRESHOLD)}
        marks.append(time.perf_counter())
        theirs = sketched(texts)
        marks.append(time.perf_counter())
        for name, (start, end) in zip(times, pairwise(marks), strict=True):
            times[name].append(end - start)
    ratio = min(times["theirs"]) / min(times["ours"])
    section.say(
        f"Against datasketch {datasketch.__version__} (128 permutations) on {len(texts):,} rows, question and answer, "
        "from texts to pairs, best of three in turns:",
    )
    shown = section.goal("speed", ratio >= FASTER, f"{ratio:.1f} ×")
    rows = [
        ["Tutelage", f"{min(times['ours']):.2f} s", shown, *_shares(ours, truth)],
        ["datasketch", f"{min(times['theirs']):.2f} s", "1 ×", *_shares(theirs, truth)],
    ]
    section.table(["", "took", "faster by", "true pairs found", "reported, 0.8 or more"], rows)


def _shares(found: set[Pair], truth: set[Pair]) -> list[str]:
    hit = len(found & truth)
    return [f"{hit / max(1, len(truth)):.1%}", f"{hit / max(1, len(found)):.1%}"]
