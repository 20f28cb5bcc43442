"""Models that every program can get by digest, and which of them serves: by a log whose newest entry holds.

A change is one new row whose number is one more than the newest: of two who saw the same, one is first and the other is
told. Nothing is ever rewritten, so what holds and how it came to be cannot disagree. Chooses nothing, loads no model.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from footfall.domain import ModelAliases, ModelChange, RegisteredModel
from footfall.errors import ModelError, PromotionError, UnknownRecordError
from footfall.stores.database import from_us, to_us
from footfall.stores.schema import model_changes, models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from footfall.domain import ModelAction, ModelOrigin
    from footfall.stores.blobs import BlobStore
    from footfall.stores.database import Database

Outcome = Literal["changed", "unchanged"]
"""What became of asking for a change: `unchanged` is what was asked for already."""

_MODEL_FILE: Final = "model.onnx"
_CARD_FILE: Final = "model.json"
_FETCHED: Final = ".fetched"
_LEAST_DIGITS: Final = 6
_DESCRIPTIVE: Final = frozenset({"name", "description", "source", "licence", "data_digest"})
"""What a card says for people: it may differ between two cards of one model."""


class Registry:
    """Models in a database, their files in a blob store. Safe to use from any thread and process.

    Every method raises StoreError when a store does not answer.
    """

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def add(
        self,
        folder: Path,
        *,
        origin: ModelOrigin,
        by: str,
        at: datetime,
        run: str = "",
        gates: Mapping[str, Any] | None = None,
        is_rejected: bool = False,
    ) -> RegisteredModel:
        """Keep a model folder's files and make it known; the same model again changes nothing but its gate report.

        Args:
            folder: with `model.onnx` and `model.json`; whether it can serve is for the caller to know.
            gates: what its gates found; may be given later by adding it again.
            is_rejected: they said no.

        Raises:
            ModelError: the files do not belong together, or another model, or another card of it, is known already.
        """
        card, content = _read(folder)
        known = self._one(card["sha256"])
        if known is None:
            named = self._named(card["name"])
            if named is not None and named.sha256 != card["sha256"] and origin != "embedded":
                raise ModelError(
                    f"model {card['name']!r}: another model has this name already (sha256 {named.sha256[:12]}…); "
                    "give one another name"
                )
            self._put_files(card, content)  # first: what is known can be fetched
            row = {
                "sha256": card["sha256"],
                "name": card["name"],
                "card": card,
                "origin": origin,
                "run": run,
                "gates": None if gates is None else dict(gates),
                "is_rejected": is_rejected,
                "size_bytes": len(content),
                "added_us": to_us(at),
                "added_by": by,
                "refusal": "",
            }
            with self._database.transaction() as connection:
                connection.execute(self._database.insert(models).values(row).on_conflict_do_nothing())
            known = self.model(card["sha256"])
        if known.files_deleted_at is not None:  # somebody brings it again
            self._put_files(card, content)
            with self._database.transaction() as connection:
                back = sa.update(models).where(models.c.sha256 == known.sha256).values(files_deleted_us=None)
                connection.execute(back)
            known = self.model(known.sha256)
        if not _serve_alike(known.card, card) and origin == "embedded":
            # Another Footfall brings another threshold for the same bytes: its word is newer.
            with self._database.transaction() as connection:
                connection.execute(sa.update(models).where(models.c.sha256 == known.sha256).values(card=card))
            return self.model(known.sha256)
        if not _serve_alike(known.card, card):
            raise ModelError(
                f"model {card['name']!r}: the same model.onnx is known as {known.name!r} with another card, and a "
                "threshold belongs to its model; it stays as it is. Export it anew, with its own metadata"
            )
        if gates is not None and (known.gates, known.is_rejected) != (gates, is_rejected):
            values = {"gates": dict(gates), "is_rejected": is_rejected, "run": run or known.run}
            with self._database.transaction() as connection:
                connection.execute(sa.update(models).where(models.c.sha256 == known.sha256).values(values))
            return self.model(known.sha256)
        return known

    def models(self) -> list[RegisteredModel]:
        """Return every model, newest first."""
        query = sa.select(models).order_by(models.c.added_us.desc(), models.c.sha256)
        with self._database.transaction() as connection:
            return [_model(row) for row in connection.execute(query).mappings()]

    def model(self, sha256: str) -> RegisteredModel:
        """Return a model.

        Raises:
            UnknownRecordError: it is not known.
        """
        found = self._one(sha256)
        if found is None:
            raise UnknownRecordError(f"model {sha256[:12]!r}: is not in the registry")
        return found

    def find(self, text: str) -> RegisteredModel:
        """Return the model that people mean: by name (the newest of that name) or by first digits of its digest.

        Raises:
            UnknownRecordError: none fits, or several do.
        """
        named = self._named(text)
        if named is not None:
            return named
        known = self.models()
        fits = [each for each in known if len(text) >= _LEAST_DIGITS and each.sha256.startswith(text.lower())]
        if len(fits) == 1:
            return fits[0]
        names = ", ".join(sorted({each.name for each in known})) or "none"
        raise UnknownRecordError(
            f"model {text!r}: {'several models begin so' if fits else 'is not in the registry'}; known are: {names}"
        )

    def fetch(self, model: RegisteredModel, models_dir: Path, *, also: Iterable[Path] = ()) -> Path:
        """Return a folder on this machine with the model's files, every byte as registered.

        Args:
            models_dir: imported models are looked for here, and what is fetched is kept here.
            also: folders that may hold it too, such as that of the embedded model.

        Raises:
            ModelError: its files are gone, or are not those that were registered.
        """
        target = models_dir / _FETCHED / model.sha256
        for folder in (*also, models_dir / model.name, target):
            if _holds(folder, model):
                return folder
        try:
            content = self._blobs.get(_key(model.sha256, _MODEL_FILE))
        except UnknownRecordError:
            raise ModelError(
                f"model {model.name!r}: its files are in the blob store no more; add the model again"
            ) from None
        digest = hashlib.sha256(content).hexdigest()
        if digest != model.sha256:
            raise ModelError(
                f"model {model.name!r}: {_MODEL_FILE} in the blob store has sha256 {digest[:12]}…, registered was "
                f"{model.sha256[:12]}…; it was changed and is refused"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unfinished-") as scratch:
            folder = Path(scratch) / "model"
            folder.mkdir()
            (folder / _MODEL_FILE).write_bytes(content)
            (folder / _CARD_FILE).write_text(json.dumps(dict(model.card), indent=2) + "\n", encoding="utf-8")
            if not _holds(target, model):
                shutil.rmtree(target, ignore_errors=True)
            try:
                folder.replace(target)
            except OSError:
                if not _holds(target, model):  # else another process was faster
                    raise
        return target

    def aliases(self) -> ModelAliases:
        """Tell which model is what now."""
        with self._database.transaction() as connection:
            return _newest(connection)[0]

    def log(self, *, limit: int = 100) -> list[ModelChange]:
        """Return changes, newest first."""
        query = sa.select(model_changes).order_by(model_changes.c.number.desc()).limit(limit)
        with self._database.transaction() as connection:
            return [_change(row) for row in connection.execute(query).mappings()]

    def promote(
        self,
        sha256: str,
        *,
        actor: str,
        why: str,
        at: datetime,
        seen: int | None = None,
        is_forced: bool = False,
    ) -> tuple[ModelChange, Outcome]:
        """Make a model the champion; the one before becomes `previous`. Idempotent.

        Args:
            seen: number of the change that the decision rests on; None: whatever holds.
            is_forced: somebody insists on a model that its gates have rejected.

        Raises:
            UnknownRecordError: the model is not known.
            PromotionError: something else was changed since `seen`, or its gates have rejected it.
        """
        model = self._may_serve(sha256, is_forced=is_forced)

        def changed(now: ModelAliases) -> tuple[ModelAliases, str | None] | None:
            if now.champion == sha256:
                return None
            after = replace(now, champion=sha256, previous=now.champion)
            if now.challenger == sha256:
                after = replace(after, challenger=None, canaries=())
            return after, now.champion

        return self._put("promoted", changed, model=model, actor=actor, why=why, at=at, seen=seen)

    def try_out(
        self,
        sha256: str,
        cameras: Sequence[str],
        *,
        actor: str,
        why: str,
        at: datetime,
        seen: int | None = None,
        is_forced: bool = False,
    ) -> tuple[ModelChange, Outcome]:
        """Make a model the challenger, and let it look at these cameras instead of the champion. Idempotent.

        Args:
            cameras: the canaries from now on; empty: it only looks at single frames beside the champion.

        Raises:
            UnknownRecordError, PromotionError: as `promote`; also when it is the champion, or there is none.
        """
        model = self._may_serve(sha256, is_forced=is_forced)
        canaries = tuple(sorted(set(cameras)))

        def changed(now: ModelAliases) -> tuple[ModelAliases, str | None] | None:
            if (now.challenger, now.canaries) == (sha256, canaries):
                return None
            if now.champion is None:
                raise PromotionError(f"model {model.name!r}: there is no champion to compare it with; promote one")
            if now.champion == sha256:
                raise PromotionError(f"model {model.name!r}: is the champion; a challenger is another model")
            return replace(now, challenger=sha256, canaries=canaries), now.challenger

        return self._put("canary", changed, model=model, actor=actor, why=why, at=at, seen=seen)

    def withdraw(self, *, actor: str, why: str, at: datetime, seen: int | None = None) -> tuple[ModelChange, Outcome]:
        """Try the challenger out no more; the champion looks at every camera. Idempotent.

        Raises:
            PromotionError: something else was changed since `seen`, or nothing was ever promoted.
        """

        def changed(now: ModelAliases) -> tuple[ModelAliases, str | None] | None:
            if now.challenger is None:
                return None
            return replace(now, challenger=None, canaries=()), now.challenger

        return self._put("withdrawn", changed, model=None, actor=actor, why=why, at=at, seen=seen)

    def rollback(
        self, *, actor: str, why: str, at: datetime, seen: int | None = None, canaries_first: bool = True
    ) -> tuple[ModelChange, Outcome]:
        """Take the last step back: a challenger with canaries is withdrawn, else the previous champion serves again.

        Only one step: afterwards there is no `previous`, so that two people in a hurry do not go back twice.

        Args:
            canaries_first: False: the previous champion serves again whoever is tried out.

        Raises:
            PromotionError: something else was changed since `seen`, or there is nothing to go back to.
        """
        now = self.aliases()
        if seen is None:
            seen = now.number
        if now.canaries and canaries_first:
            return self.withdraw(actor=actor, why=why, at=at, seen=seen)
        if now.previous is None:
            raise PromotionError("there is no previous champion to go back to; promote a model by its name")
        previous = self.model(now.previous)

        def changed(now: ModelAliases) -> tuple[ModelAliases, str | None]:
            after = replace(now, champion=now.previous, previous=None)
            if now.challenger == now.previous:
                after = replace(after, challenger=None, canaries=())
            return after, now.champion

        return self._put("rolled_back", changed, model=previous, actor=actor, why=why, at=at, seen=seen)

    def remove_files(self, sha256: str, models_dir: Path, *, at: datetime) -> bool:
        """Remove a model's files from the blobs and from what was fetched here; the log goes on naming it. Idempotent.

        Whoever adds the model again brings them back; until then it cannot be promoted.

        Returns:
            Whether they are removed now; False where it is champion, challenger or previous, which keep theirs.

        Raises:
            UnknownRecordError: the model is not known.
        """
        self.model(sha256)
        with self._database.transaction() as connection:
            now, _ = _newest(connection)
            if sha256 in {now.champion, now.challenger, now.previous}:
                return False
            # The mark first: what is not marked can be fetched.
            connection.execute(sa.update(models).where(models.c.sha256 == sha256).values(files_deleted_us=to_us(at)))
        for file in (_MODEL_FILE, _CARD_FILE):
            self._blobs.delete(_key(sha256, file))
        shutil.rmtree(models_dir / _FETCHED / sha256, ignore_errors=True)
        return True

    def refuse(self, sha256: str, why: str, *, at: datetime) -> None:
        """Note that a service could not use a model; holds until somebody promotes it or tries it out again."""
        with self._database.transaction() as connection:
            values = {"refused_us": to_us(at), "refusal": why[:500]}
            connection.execute(sa.update(models).where(models.c.sha256 == sha256).values(values))

    def _may_serve(self, sha256: str, *, is_forced: bool) -> RegisteredModel:
        model = self.model(sha256)
        if model.files_deleted_at is not None:
            raise PromotionError(_gone(model.name))
        if model.is_rejected and not is_forced:
            raise PromotionError(
                f"model {model.name!r}: its gates have rejected it; nothing was changed. Insist (force) only if you "
                "know better than they do"
            )
        return model

    def _put(
        self,
        action: ModelAction,
        changed: Callable[[ModelAliases], tuple[ModelAliases, str | None] | None],
        *,
        model: RegisteredModel | None,
        actor: str,
        why: str,
        at: datetime,
        seen: int | None,
    ) -> tuple[ModelChange, Outcome]:
        while True:
            with self._database.transaction() as connection:
                now, newest = _newest(connection)
                wanted = changed(now) if seen is None or seen == now.number else None
                if wanted is None and newest is not None and changed(now) is None:
                    return newest, "unchanged"
                if wanted is None:
                    raise PromotionError(_moved(seen, now, newest))
                aliases, before = wanted
                if model is not None:  # its files may have been removed since it was looked at
                    kept = sa.select(models.c.files_deleted_us).where(models.c.sha256 == model.sha256)
                    if connection.scalar(kept) is not None:
                        raise PromotionError(_gone(model.name))
                change = ModelChange(
                    at=at,
                    actor=actor,
                    action=action,
                    before=before,
                    model=None if model is None else model.sha256,
                    why=why,
                    gates_digest="" if model is None else model.gates_digest,
                    aliases=replace(aliases, number=now.number + 1),
                )
                added = connection.scalar(
                    self._database.insert(model_changes)
                    .values(_change_row(change))
                    .on_conflict_do_nothing()
                    .returning(model_changes.c.number)
                )
                if added is not None:
                    if model is not None:
                        connection.execute(
                            sa.update(models).where(models.c.sha256 == model.sha256).values(refused_us=None, refusal="")
                        )
                    return change, "changed"
            # Somebody else was first: look again.

    def _put_files(self, card: Mapping[str, Any], content: bytes) -> None:
        self._blobs.put(_key(card["sha256"], _MODEL_FILE), content)
        self._blobs.put(_key(card["sha256"], _CARD_FILE), json.dumps(card, indent=2).encode())

    def _one(self, sha256: str) -> RegisteredModel | None:
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(models).where(models.c.sha256 == sha256)).mappings().one_or_none()
        return None if row is None else _model(row)

    def _named(self, name: str) -> RegisteredModel | None:
        query = sa.select(models).where(models.c.name == name).order_by(models.c.added_us.desc()).limit(1)
        with self._database.transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _model(row)


def _key(sha256: str, file: str) -> str:
    return f"models/{sha256}/{file}"


def _read(folder: Path) -> tuple[dict[str, Any], bytes]:
    """The card and the bytes of a model folder, if they belong together."""
    try:
        content = (folder / _MODEL_FILE).read_bytes()
        card = json.loads((folder / _CARD_FILE).read_text(encoding="utf-8"))
        said, name = str(card["sha256"]), str(card["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"model {folder.name!r}: {_MODEL_FILE} and {_CARD_FILE} cannot be read ({type(error).__name__}); expected "
            "a model folder, as `footfall models import` makes it"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != said or not name:
        raise ModelError(
            f"model {folder.name!r}: {_MODEL_FILE} has sha256 {digest[:12]}…, {_CARD_FILE} says {said[:12]}…; it is "
            "not added"
        )
    return card, content


def _holds(folder: Path, model: RegisteredModel) -> bool:
    try:
        card, _ = _read(folder)
    except ModelError:
        return False
    return _serve_alike(card, model.card)


def _serve_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two cards of the same bytes mean the same to serving; another version may know fewer fields."""
    return all(one[key] == other[key] for key in set(one) & set(other) - _DESCRIPTIVE)


def _gone(name: str) -> str:
    return (
        f"model {name!r}: its files were removed, because nothing needed them any more; nothing was changed. Import it "
        "again to use it"
    )


def _moved(seen: int | None, now: ModelAliases, newest: ModelChange | None) -> str:
    if newest is None:
        return "nothing was ever promoted; promote a model first"
    what = newest.action.replace("_", " ")
    return (
        f"the models were changed meanwhile (you saw change {seen}, the newest is {now.number}: {what} by "
        f"{newest.actor!r}); nothing was done. Look again"
    )


def _newest(connection: sa.Connection) -> tuple[ModelAliases, ModelChange | None]:
    query = sa.select(model_changes).order_by(model_changes.c.number.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return ModelAliases(), None
    change = _change(row)
    return change.aliases, change


def _model(row: Any) -> RegisteredModel:  # noqa: ANN401  a row of `models`
    return RegisteredModel(
        sha256=row["sha256"],
        name=row["name"],
        card=row["card"],
        origin=row["origin"],
        run=row["run"],
        gates=row["gates"],
        is_rejected=bool(row["is_rejected"]),
        size_bytes=row["size_bytes"],
        added_at=from_us(row["added_us"]),
        added_by=row["added_by"],
        refused_at=None if row["refused_us"] is None else from_us(row["refused_us"]),
        refusal=row["refusal"],
        files_deleted_at=None if row["files_deleted_us"] is None else from_us(row["files_deleted_us"]),
    )


def _change(row: Any) -> ModelChange:  # noqa: ANN401  a row of `model_changes`
    return ModelChange(
        at=from_us(row["at_us"]),
        actor=row["actor"],
        action=row["action"],
        before=row["before"],
        model=row["model"],
        why=row["why"],
        gates_digest=row["gates_digest"],
        aliases=ModelAliases(
            number=row["number"],
            champion=row["champion"],
            challenger=row["challenger"],
            previous=row["previous"],
            canaries=tuple(row["canaries"]),
        ),
    )


def _change_row(change: ModelChange) -> dict[str, Any]:
    aliases = change.aliases
    return {
        "number": aliases.number,
        "at_us": to_us(change.at),
        "actor": change.actor,
        "action": change.action,
        "before": change.before,
        "model": change.model,
        "why": change.why,
        "gates_digest": change.gates_digest,
        "champion": aliases.champion,
        "challenger": aliases.challenger,
        "previous": aliases.previous,
        "canaries": list(aliases.canaries),
    }
