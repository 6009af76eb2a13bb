"""How long the scrubber takes for a megabyte of hostile text, and for a thousand plain messages.

Run it with `python bench/scrub.py`. It prints seconds of this process, and writes nothing.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from flywheel.data.privacy import scrubbed, shipped
from tests.unit.data.test_privacy import HOSTILE

PLAIN = (
    "The alert for stop {n} came too late, I waited 15 minutes. Who pays? My booking is X7K2P{n}. Regards, Anna Schmidt"
)


def seconds(texts: list[str]) -> float:
    """What it takes to scrub some texts, each of them for the first time."""
    begun = time.process_time()
    for text in texts:
        scrubbed(text, shipped())
    return time.process_time() - begun


shipped()
seconds(["Tel. 212 555 0123"])  # the rules of the countries are read once
for case, piece in HOSTILE.items():
    print(f"{case:<20}{seconds([(piece * 1_000_000)[:1_000_000]]):6.3f} s for 1 MB")
print(f"{'plain':<20}{seconds([PLAIN.format(n=n) for n in range(1000)]):6.3f} s for 1,000 messages")
