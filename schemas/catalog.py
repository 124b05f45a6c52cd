"""CATALOG: everything the product offers, as frozen data. Routes and platforms derive from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal

from marshmallow import Schema

from schemas.account import Account, Credentials
from schemas.events import EventRow
from schemas.fields import sample_of
from schemas.hooks import Hook, HookEnd
from schemas.inputs import (
    AvailabilityInput,
    ChangesInput,
    MilestoneInput,
    ProfileInput,
    SnapshotInput,
    VideosInput,
)
from schemas.jobs import BatchRow, Job, JobInput, JobPageInput, ProfilesInput
from schemas.profile import SAMPLE_FETCHED_AT, ProfileRow
from schemas.universal import ENDPOINTS, RequestInput, RequestOutput
from schemas.usage import Usage, usage_input
from schemas.watching import UnwatchProfileInput, watch_profile_input
from schemas.webhooks import (
    FindWebhooksInput,
    ListedWebhook,
    Webhook,
    WebhookEnd,
    WebhookForm,
    WebhookToEnd,
)


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
    """Does one thing for one input and answers one object.

    `effect` is on what the connector keeps. Reading costs credits, unless it is `free`: then it
    reads what is kept.
    """

    key: str
    label: str
    noun: str
    description: str
    input: type[Schema]
    output: type[Schema]
    _: KW_ONLY
    effect: Literal["read", "create", "delete"] = "read"
    free: bool = False

    @property
    def sample(self) -> dict[str, Any]:
        """What it may answer, to map before it has ever run."""
        return sample_of(self.output)


@dataclass(frozen=True)
class Batch(Action):
    """Begins a job, and answers how it stands: ended, where there was little to do.

    `callback_input` is the input that says where the job is sent when it has ended.
    """

    callback_input: str


@dataclass(frozen=True)
class Search(Action):
    """Answers a list, best match first; a miss is an empty list."""


@dataclass(frozen=True)
class Trigger(Action):
    """Tells of events: a list when it is polled, one row a message when it is instant.

    `watch_label` is what a person asks for, where the label is what happens. `sample_event` is what
    its sample says otherwise than any event's.
    """

    watch_label: str
    sample_event: Mapping[str, object]

    @property
    def sample(self) -> dict[str, Any]:
        """An event of its own kind."""
        return {**super().sample, **self.sample_event}

    @property
    def instant(self) -> Trigger:
        """The same as it is offered beside the polled one: sent, not asked for."""
        return replace(
            self,
            key=f"{self.key}_instant",
            label=f"{self.label} (instant)",
            watch_label=f"{self.watch_label} (instant)",
            description=f"{self.description.removesuffix('.')}, as soon as it is noticed.",
        )


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

    @property
    def polled_and_instant(self) -> Iterator[Trigger]:
        """Each trigger in the two ways in which platforms offer it, side by side."""
        for trigger in self.triggers:
            yield from (trigger, trigger.instant)


_ROW = sample_of(EventRow)


def _sample_event(event_type: str, what: object, **values: object) -> dict[str, object]:
    """An event without changes of fields, whose id ends with `what`."""
    event_id = f"{_ROW['user_id']}:{what}"
    head = {"event_id": event_id, "id": event_id, "event_type": event_type}
    return {**head, "changed_fields": [], "changes": [], **values}


TRIGGERS = (
    Trigger(
        key="new_video",
        label="New video",
        watch_label="Watch new videos",
        noun="Video",
        description="Triggers when a watched profile posts a video.",
        input=VideosInput,
        output=EventRow,
        sample_event=_sample_event("new_video", _ROW["latest_video_id"]),
    ),
    Trigger(
        key="profile_changed",
        label="Profile changed",
        watch_label="Watch profile changes",
        noun="Change",
        description="Triggers when a watched profile changes its name, bio, picture or the like.",
        input=ChangesInput,
        output=EventRow,
        sample_event={},
    ),
    Trigger(
        key="follower_milestone",
        label="Follower milestone",
        watch_label="Watch follower milestones",
        noun="Milestone",
        description="Triggers when the followers of a watched profile reach a number.",
        input=MilestoneInput,
        output=EventRow,
        sample_event=_sample_event(
            "follower_milestone", "followers:4100000", milestone=4_100_000
        ),
    ),
    Trigger(
        key="stats_snapshot",
        label="Stats snapshot",
        watch_label="Watch stats snapshots",
        noun="Snapshot",
        description="Triggers when it is time to report the counts of a watched profile.",
        input=SnapshotInput,
        output=EventRow,
        sample_event=_sample_event("stats_snapshot", f"stats:{SAMPLE_FETCHED_AT[:10]}"),
    ),
    Trigger(
        key="profile_unavailable",
        label="Profile unavailable",
        watch_label="Watch unavailable profiles",
        noun="Status",
        description="Triggers when a watched profile is gone, went private or is back again.",
        input=AvailabilityInput,
        output=EventRow,
        sample_event=_sample_event(
            "profile_private", "profile_private:5d1e8a90c3b7:42", lookup_status="private"
        ),
    ),
)

# What costs credits, whoever asks for it.
GET_PROFILE = Action(
    key="get_profile",
    label="Get a profile",
    noun="Profile",
    description="Returns the public data of one profile: who it is, its counts, its recent videos.",
    input=ProfileInput,
    output=ProfileRow,
)
GET_PROFILES = Batch(
    key="get_profiles",
    label="Get many profiles",
    noun="Job",
    description="Creates a job that looks up as many as 1,000 profiles; few are done at once.",
    input=ProfilesInput,
    output=Job,
    effect="create",
    callback_input="callback_url",
)
FIND_PROFILE = Search(
    key="find_profile",
    label="Find a profile",
    noun="Profile",
    description="Returns the profile with a handle, or nothing when there is none.",
    input=ProfileInput,
    output=ProfileRow,
)
REQUEST = Action(
    key="request",
    label="Make an API call",
    noun="Answer",
    description="Returns the answer to any call of the documented profile API, as it comes.",
    input=RequestInput,
    output=RequestOutput,
)
WATCH_PROFILE = Action(
    key="watch_profile",
    label="Watch a profile",
    noun="Subscription",
    description="Creates a subscription that sends a profile's events to an address of yours.",
    input=watch_profile_input(
        {trigger.key: (trigger.label, trigger.input) for trigger in TRIGGERS}
    ),
    output=Hook,
    effect="create",
)
_PAID = {action.key: action.label for action in (GET_PROFILE, GET_PROFILES, FIND_PROFILE, REQUEST)}
GET_USAGE = Action(
    key="get_usage",
    label="Get usage",
    noun="Usage report",
    description="Returns the credits that were spent and saved, and what spent them.",
    input=usage_input(_PAID),
    output=Usage,
    free=True,
)

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
        GET_PROFILE,
        GET_PROFILES,
        Action(
            key="get_job",
            label="Get a job",
            noun="Job",
            description="Returns how a job stands and, when it has ended, the profiles.",
            input=JobInput,
            output=Job,
            free=True,
        ),
        WATCH_PROFILE,
        Action(
            key="unwatch_profile",
            label="Stop watching a profile",
            noun="Subscription",
            description="Deletes a subscription, so that nothing more is sent.",
            input=UnwatchProfileInput,
            output=HookEnd,
            effect="delete",
        ),
        GET_USAGE,
        Action(
            key="create_webhook",
            label="Create an incoming webhook",
            noun="Webhook",
            description="Creates a secret address that looks up whatever handle is sent to it.",
            input=WebhookForm,
            output=Webhook,
            effect="create",
        ),
        Action(
            key="delete_webhook",
            label="Delete an incoming webhook",
            noun="Webhook",
            description="Deletes an incoming webhook, so that its address stops working.",
            input=WebhookToEnd,
            output=WebhookEnd,
            effect="delete",
        ),
    ),
    searches=(
        FIND_PROFILE,
        Search(
            key="find_job_profiles",
            label="Find profiles of a job",
            noun="Profile",
            description="Returns the rows of a job, in the order of its handles.",
            input=JobPageInput,
            output=BatchRow,
            free=True,
        ),
        Search(
            key="find_webhooks",
            label="Find incoming webhooks",
            noun="Webhook",
            description="Returns the incoming webhooks of the connection, by name or all of them.",
            input=FindWebhooksInput,
            output=ListedWebhook,
            free=True,
        ),
    ),
    triggers=TRIGGERS,
    universal=REQUEST,
    pick_lists=(
        PickList(
            key="endpoints",
            label="List endpoints",
            description="Returns the paths of the documented profile API.",
            choices=tuple((label, path) for _, path, label in ENDPOINTS),
        ),
    ),
)
