"""Promises that follow from the declarations, checked for every entry of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field

from connector.domain.names import output_key
from connector.exports.documents import render_document
from connector.generated import DOCUMENTS, KINDS, document_tables, generated_files
from connector.services.handlers import HANDLERS
from schemas import fields
from schemas.account import Account, Credentials
from schemas.catalog import CATALOG
from schemas.errors import ErrorBody
from schemas.events import Change, EventHead, EventRow
from schemas.fields import declared_fields, sample_of, upstream_paths
from schemas.history import HistoryRow
from schemas.inputs import HistoryInput
from schemas.jobs import BatchHead, BatchRow, Job, JobRowsInput
from schemas.profile import ProfileRow
from schemas.universal import Choice, RequestInput, RequestOutput
from schemas.video import Video

# Permanent: people's automations map these. Adding is a new line; nothing else may change here.
PERMANENT = """
id handle profile_url lookup_status
user_id user_short_id user_unique_id user_nickname user_avatar_larger user_avatar_medium
user_avatar_thumb user_signature user_create_time user_verified user_sec_uid user_ftc
user_relation user_open_favorite user_bio_link_link user_bio_link_risk user_comment_setting
user_commerce_user_info_commerce_user user_duet_setting user_stitch_setting user_private_account
user_secret user_is_ad_virtual user_room_id user_unique_id_modify_time user_tt_seller
user_region user_download_setting user_profile_tab_show_music_tab
user_profile_tab_show_question_tab user_profile_tab_show_play_list_tab user_following_visibility
user_recommend_reason user_now_invitation_card_url user_nick_name_modify_time
user_is_embed_banned user_can_exp_playlist user_profile_embed_permission user_language
user_event_list user_suggest_account_bind user_is_organization
stats_follower_count stats_following_count stats_heart stats_heart_count stats_video_count
stats_digg_count stats_friend_count
hearts hearts_quality user_created_at avatar_expires_at engagement_per_video recent_video_count
latest_video_id latest_video_url latest_video_description latest_video_created_at
latest_video_play_count latest_video_like_count latest_video_comment_count
latest_video_share_count latest_video_cover_url
recent_videos fetched_at cached credits_used warnings request_source
"""
PERMANENT_KEYS = PERMANENT.split()

SCHEMAS = [ProfileRow, Video, ErrorBody, Credentials, Account, RequestInput, RequestOutput, Choice]
SCHEMAS += [BatchRow, Job, JobRowsInput]
SCHEMAS += [HistoryRow, HistoryInput, *(item.input for item in CATALOG)]
SCHEMAS += [Change, EventRow, *(trigger.input for trigger in CATALOG.triggers)]
ROOT = Path(__file__).parents[2]


def test_keys_of_the_row_are_permanent() -> None:
    assert list(declared_fields(ProfileRow)) == PERMANENT_KEYS


def test_event_is_the_row_with_what_happened_in_front() -> None:
    """Also permanent: Zaps and scenarios map these."""
    head = """
    event_id event_type occurred_at changed_fields changes previous_follower_count
    follower_change milestone event_sequence
    """
    assert list(declared_fields(EventHead)) == head.split()
    assert list(declared_fields(EventRow)) == [*head.split(), *PERMANENT_KEYS]


def test_row_of_a_batch_is_the_row_with_its_error_in_front() -> None:
    """Permanent, too."""
    head = ["position", "error", "error_code", "advice"]
    assert list(declared_fields(BatchHead)) == head
    assert list(declared_fields(BatchRow)) == [*head, *PERMANENT_KEYS]


def test_keys_of_a_job_are_permanent() -> None:
    keys = """
    id state reason problem total done found_count private_count not_found_count failed_count
    not_tried_count credits_used credits_at_most estimated_seconds_left rows_path secret created_at
    ended_at request_id profiles
    """
    assert list(declared_fields(Job)) == keys.split()


def test_key_of_an_upstream_field_is_its_path() -> None:
    """Derived from the document's own names, not from anybody's taste."""
    checked = []
    for key, declared in declared_fields(ProfileRow).items():
        for path in upstream_paths(declared)[-1:]:
            assert output_key(*path.split(".")) == key
            checked.append(key)
    assert checked


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_sample_loads_and_dumps_to_itself(schema: type[Schema]) -> None:
    sample = sample_of(schema)
    loaded = schema().load(sample)
    dumped = schema().dump(loaded)
    assert dumped == sample
    assert list(dumped) == list(sample)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_field_says_what_it_is(schema: type[Schema]) -> None:
    """A person maps by label and help; a help text that repeats the label helps nobody."""
    labels = []
    for key, declared in declared_fields(schema).items():
        label, help_text = declared.metadata["title"], declared.metadata["description"]
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", key)
        assert label[0].isupper()
        assert help_text.endswith(".")
        assert help_text.rstrip(".") != label
        labels.append(label)
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("schema", [ProfileRow, Video], ids=["row", "video"])
def test_missing_values_are_null_not_absent(schema: type[Schema]) -> None:
    assert schema().dump({}) == dict.fromkeys(declared_fields(schema))


def test_catalog_and_handlers_have_the_same_keys() -> None:
    keys = [item.key for item in CATALOG]
    assert set(keys) == set(HANDLERS)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("kind", KINDS)
def test_generated_files_are_fresh(kind: str) -> None:
    """`make platforms` renews them."""
    for name, text in generated_files(kind, ROOT).items():
        assert (ROOT / name).read_text("utf-8") == text, f"{name} is stale: make platforms"


def test_every_table_has_its_place() -> None:
    documents = "".join((ROOT / name).read_text("utf-8") for name in DOCUMENTS)
    for name in document_tables(CATALOG):
        assert f"<!-- {name} -->" in documents


def test_marker_needs_a_table() -> None:
    assert render_document("<!-- a -->\nold\n<!-- /a -->", {"a": "new", "b": ""}) == (
        "<!-- a -->\nnew\n<!-- /a -->"
    )
    with pytest.raises(KeyError):
        render_document("<!-- c -->\n<!-- /c -->", {})


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (fields.WholeNumber, "211339", 211339),
        (fields.WholeNumber, " -5 ", -5),
        (fields.WholeNumber, 1.9e8, 190000000),
        (fields.WholeNumber, 10**15 - 1, 10**15 - 1),
        (fields.Identifier, 7301234567890123456, "7301234567890123456"),
        (partial(fields.Words, of=fields.WholeNumber), "5, 10\n", [5, 10]),
        (partial(fields.Words, of=fields.Identifier), ["a", "", " ", 5], ["a", "5"]),
        (fields.Flag, 1, True),
        (fields.Flag, "false", False),
    ],
)
def test_spelling_of_a_value_does_not_matter(
    kind: Callable[[], Field[Any]], value: object, read: object
) -> None:
    assert kind().deserialize(value) == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.WholeNumber, True),
        (fields.WholeNumber, 1.5),
        (fields.WholeNumber, "1_000"),
        (fields.WholeNumber, "12e3"),
        (fields.WholeNumber, 1e300),
        (fields.WholeNumber, 10**15),
        (fields.WholeNumber, "١٢"),
        (fields.WholeNumber, []),
        (fields.Identifier, True),
        (fields.Identifier, 1.5),
        (fields.Text, 5),
        (fields.Flag, "maybe"),
        (fields.Flag, {}),
        (fields.Timestamp, 0),
        (fields.Timestamp, "2024-01-01T00:00:00"),
        (fields.Items, "text"),
        (partial(fields.Words, of=fields.Identifier), ["a", None]),
    ],
)
def test_kind_of_a_value_matters(kind: Callable[[], Field[Any]], value: object) -> None:
    """Never a guess: what cannot be read exactly is refused."""
    with pytest.raises(ValidationError):
        kind().deserialize(value)
