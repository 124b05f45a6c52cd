"""Everything that is sealed, sealed anew: nothing forgotten, nothing lost, nothing of others undone."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, insert, select, update

from connector.adapters.crypto import FernetVault, new_encryption_key
from connector.adapters.store import sealed
from connector.adapters.store.sealed import Piece, SealedValues, sealed_columns
from connector.adapters.store.tables import Base, Visit
from connector.domain.errors import Unreadable
from tests.watched import ToldClock
from wire.database import reading, writing

OLD, NEW, LOST = (new_encryption_key() for _ in range(3))
NOW = ToldClock().now()


def keep(engine: Engine, *values: str) -> None:
    rows = [
        {"id": str(n), "connection_id": "api:x", "sealed_key": value, "expires_at": n}
        for n, value in enumerate(values)
    ]
    with writing(engine) as session:
        session.execute(insert(Visit), rows)


def kept(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.execute(select(Visit.sealed_key).order_by(Visit.expires_at)).scalars())


def test_every_column_that_is_sealed_says_so() -> None:
    """By its name, that is: it would be lost with the key that sealed it."""
    named = [
        column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if "sealed" in column.name
    ]
    assert sealed_columns() == named
    assert len(named) == 5


def test_all_is_sealed_anew_a_few_at_a_time_and_what_is_lost_stays(engine: Engine) -> None:
    """What the new key sealed before stays as it is, so that another run has nothing to do."""
    old, both, new = FernetVault([OLD]), FernetVault([NEW, OLD]), FernetVault([NEW])
    many = 2 * sealed._AT_A_TIME
    foreign = FernetVault([LOST]).seal("lost")
    keep(engine, *(old.seal(f"sk_{n}") for n in range(many)), foreign, "", new.seal("sk_new"))
    pieces = list(SealedValues(engine).renew(both.renewed, NOW))
    assert [piece.seen for piece in pieces] == [sealed._AT_A_TIME] * 2 + [2]
    assert sum(piece.renewed for piece in pieces) == many
    assert sum(piece.lost for piece in pieces) == 1
    *renewed, lost, ending, last = kept(engine)
    assert [new.open(value) for value in renewed] == [f"sk_{n}" for n in range(many)]
    assert (lost, ending, new.open(last)) == (foreign, "", "sk_new")
    again = list(SealedValues(engine).renew(both.renewed, NOW))
    assert sum(piece.renewed for piece in again) == 0
    with pytest.raises(Unreadable):
        old.open(renewed[0])


def test_what_is_changed_meanwhile_is_not_undone(engine: Engine) -> None:
    """As when somebody replaces a secret between reading it and sealing it anew."""
    old, both = FernetVault([OLD]), FernetVault([NEW, OLD])
    keep(engine, old.seal("before"), old.seal("other"))
    changed = both.seal("after")

    def renewed(value: str) -> str | None:
        if old.open(value) == "before":
            with writing(engine) as session:
                first = update(Visit).where(Visit.id == "0")
                session.execute(first.values(sealed_key=changed))
        return both.renewed(value)

    pieces = list(SealedValues(engine).renew(renewed, NOW))
    assert pieces == [Piece("visits.sealed_key", seen=2, renewed=1, changed=1)]
    assert kept(engine)[0] == changed
