"""The tables of the endpoint. Their history is in `migrations/`."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# As wide as SQLite's own INTEGER, which alone counts rows up there: times pass 32 bits in 2038.
_Whole = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """The tables of this endpoint. Times are whole Unix seconds."""

    type_annotation_map = {int: _Whole}  # noqa: RUF012  # as SQLAlchemy has it


class ApiKey(Base):
    """One key; `rate_count` requests were counted in the minute `rate_window`."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("credits >= 0", name="credits_not_negative"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(default=True)
    credits: Mapped[int]
    rate_limit: Mapped[int]
    rate_window: Mapped[int] = mapped_column(default=0)
    rate_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[int]


class ApiRequest(Base):
    """One request that reached the profile service or was refused for want of credits."""

    __tablename__ = "api_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id"), index=True)
    at: Mapped[int] = mapped_column(index=True)
    request_source: Mapped[str] = mapped_column(String(16))
    handle: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    credits: Mapped[int]


class KeyChange(Base):
    """What an operator did to a key: `created`, `topped_up`, `activated` or `deactivated`."""

    __tablename__ = "key_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id"), index=True)
    at: Mapped[int]
    what: Mapped[str] = mapped_column(String(16))
    credits: Mapped[int | None]
