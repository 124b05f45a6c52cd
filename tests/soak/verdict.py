"""What must hold after a soak, as sentences about what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

Told = tuple[str, str]


@dataclass(frozen=True)
class Figures:
    """What was counted. `told` events are (path of the target, event id); looks are paid for."""

    posted: frozenset[Told]
    arrived: Counter[Told]
    webhook_ids: Mapping[Told, set[str]]
    unsigned: int
    undelivered: int
    polled_posted: frozenset[str]
    polled: frozenset[str]
    worker_kills: int
    threads: int
    looks_paid: int
    looks_kept: int
    looks_booked: int

    @property
    def lost(self) -> int:
        """Events that never arrived."""
        return len(self.posted - self.arrived.keys())

    @property
    def duplicates(self) -> int:
        """Arrivals beyond the first of each event."""
        return self.arrived.total() - len(self.arrived)

    @property
    def in_flight(self) -> int:
        """The most that kills can have interrupted."""
        return self.worker_kills * self.threads


def faults(figures: Figures) -> list[str]:
    """What must not be, each as a sentence; nothing where all is well."""
    several = sum(len(ids) > 1 for ids in figures.webhook_ids.values())
    lost_polls = len(figures.polled_posted - figures.polled)
    paid_for_nothing = figures.looks_paid - figures.looks_kept
    found = {
        f"{figures.lost} events were lost.": figures.lost,
        f"{len(figures.arrived.keys() - figures.posted)} events arrived that never happened.": (
            figures.arrived.keys() - figures.posted
        ),
        f"{figures.duplicates} events arrived again, of {figures.in_flight} that kills can explain.": (
            figures.duplicates > figures.in_flight
        ),
        f"{several} events came with several webhook ids.": several,
        f"{figures.unsigned} tries were not signed with the secret.": figures.unsigned,
        f"{figures.undelivered} deliveries are not done.": figures.undelivered,
        f"{lost_polls} events were lost for who polls.": lost_polls,
        f"{paid_for_nothing} paid looks were not kept, of {figures.in_flight} that kills can explain.": (
            paid_for_nothing > figures.in_flight
        ),
        f"{figures.looks_paid} looks were paid, {figures.looks_booked} are in the books.": not (
            figures.looks_paid <= figures.looks_booked <= figures.looks_paid + figures.in_flight
        ),
    }
    return [sentence for sentence, wrong in found.items() if wrong]
