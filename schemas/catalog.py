"""CATALOG: everything the product offers, as frozen data. Routes and platforms derive from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marshmallow import Schema

from schemas.inputs import ProfileInput
from schemas.profile import ProfileRow


@dataclass(frozen=True)
class Action:
    """Does one thing for one input and answers one object."""

    key: str
    label: str
    noun: str
    description: str
    input: type[Schema]
    output: type[Schema]


@dataclass(frozen=True)
class Search(Action):
    """Answers a list, best match first; a miss is an empty list."""


@dataclass(frozen=True)
class Catalog:
    """Actions and searches, each kind in the order in which platforms show them."""

    actions: tuple[Action, ...]
    searches: tuple[Search, ...]

    def __iter__(self) -> Iterator[Action]:
        yield from self.actions
        yield from self.searches


CATALOG = Catalog(
    actions=(
        Action(
            key="get_profile",
            label="Get a profile",
            noun="Profile",
            description="Returns the public data of one profile: who it is, its counts, its recent videos.",
            input=ProfileInput,
            output=ProfileRow,
        ),
    ),
    searches=(
        Search(
            key="find_profile",
            label="Find a profile",
            noun="Profile",
            description="Returns the profile with a handle, or nothing when there is none.",
            input=ProfileInput,
            output=ProfileRow,
        ),
    ),
)
