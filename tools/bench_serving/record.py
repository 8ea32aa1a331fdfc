"""What was measured, round by round, and the medians over the rounds."""

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.bench_serving.images import Kind
from tools.bench_serving.load import Answers

LIMIT = "the limit"


@dataclass(frozen=True)
class Case:
    """A load: which images, from how many clients at a time."""

    kind: Kind
    clients: int

    @property
    def name(self) -> str:
        clients = "one client" if self.clients == 1 else f"{self.clients} clients"
        return f"{self.kind}, {clients}"


@dataclass
class Record:
    """Every round of every server under every load."""

    command: str
    date: str
    machine: str
    generator: str
    seconds: float
    rounds: dict[tuple[str, Case], list[Answers]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, server: str, case: Case, answers: Answers) -> None:
        self.rounds.setdefault((server, case), []).append(answers)

    @property
    def servers(self) -> list[str]:
        return list(dict.fromkeys(server for server, _ in self.rounds))

    @property
    def cases(self) -> list[Case]:
        return list(dict.fromkeys(case for _, case in self.rounds))

    def median(
        self, server: str, case: Case, of: Callable[[Answers], float | None]
    ) -> float | None:
        """Over the rounds; None where nothing was measured."""
        values = [of(answers) for answers in self.rounds.get((server, case), [])]
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None

    def save(self, file: Path) -> None:
        """Every round as JSON."""
        found = [
            {"server": server, **asdict(case), "rounds": [asdict(each) for each in answers]}
            for (server, case), answers in self.rounds.items()
        ]
        whole = {
            "command": self.command,
            "date": self.date,
            "machine": self.machine,
            "generator": self.generator,
            "seconds": self.seconds,
            "left_out": self.left_out,
            "measured": found,
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(whole, indent=1), encoding="utf-8")
