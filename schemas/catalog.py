"""CATALOG: everything the product offers, as frozen data. Routes and platforms derive from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marshmallow import Schema

from schemas.account import Account, Credentials
from schemas.events import EventRow
from schemas.inputs import ChangesInput, MilestoneInput, ProfileInput, SnapshotInput, WatchInput
from schemas.profile import ProfileRow
from schemas.universal import ENDPOINTS, RequestInput, RequestOutput


@dataclass(frozen=True)
class Product:
    """What platforms call the whole. Neutral: neither may carry a third party's name."""

    key: str
    name: str
    description: str


@dataclass(frozen=True)
class Connection:
    """How a person connects, and what tells one connection from another."""

    input: type[Schema]
    output: type[Schema]
    help_label: str
    help_url: str


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
class Trigger(Action):
    """Tells of events: a list when it is polled, one row a message when it is instant.

    `watch_label` is what a person asks for, where the label is what happens.
    """

    watch_label: str


@dataclass(frozen=True)
class PickList:
    """Values to choose from in a form, as (label, value)."""

    key: str
    label: str
    description: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Catalog:
    """Each kind in the order in which platforms show it."""

    product: Product
    connection: Connection
    actions: tuple[Action, ...]
    searches: tuple[Search, ...]
    triggers: tuple[Trigger, ...]
    universal: Action
    pick_lists: tuple[PickList, ...]

    def __iter__(self) -> Iterator[Action]:
        yield from self.actions
        yield from self.searches


CATALOG = Catalog(
    product=Product(
        key="profile-data",
        name="Profile data",
        description="Public profile data of creators as flat fields: who it is, counts, recent videos.",
    ),
    connection=Connection(
        input=Credentials,
        output=Account,
        help_label="Where to find your API key",
        help_url="https://docs.dumplingai.com/api-reference/introduction",
    ),
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
    triggers=(
        Trigger(
            key="new_video",
            label="New video",
            watch_label="Watch new videos",
            noun="Video",
            description="Triggers when a watched profile posts a video.",
            input=WatchInput,
            output=EventRow,
        ),
        Trigger(
            key="profile_changed",
            label="Profile changed",
            watch_label="Watch profile changes",
            noun="Change",
            description="Triggers when a watched profile changes its name, bio, picture or the like.",
            input=ChangesInput,
            output=EventRow,
        ),
        Trigger(
            key="follower_milestone",
            label="Follower milestone",
            watch_label="Watch follower milestones",
            noun="Milestone",
            description="Triggers when the followers of a watched profile reach a number.",
            input=MilestoneInput,
            output=EventRow,
        ),
        Trigger(
            key="stats_snapshot",
            label="Stats snapshot",
            watch_label="Watch stats snapshots",
            noun="Snapshot",
            description="Triggers when it is time to report the counts of a watched profile.",
            input=SnapshotInput,
            output=EventRow,
        ),
        Trigger(
            key="profile_unavailable",
            label="Profile unavailable",
            watch_label="Watch unavailable profiles",
            noun="Status",
            description="Triggers when a watched profile is gone, went private or is back again.",
            input=WatchInput,
            output=EventRow,
        ),
    ),
    universal=Action(
        key="request",
        label="Make an API call",
        noun="Answer",
        description="Returns the answer to any call of the documented profile API, as it comes.",
        input=RequestInput,
        output=RequestOutput,
    ),
    pick_lists=(
        PickList(
            key="endpoints",
            label="List endpoints",
            description="Returns the paths of the documented profile API.",
            choices=tuple((label, path) for _, path, label in ENDPOINTS),
        ),
    ),
)
