"""The document of `plan --compare`: earlier runs beside the plan of now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.planning.breakdown import By
from retention.core.planning.plan import sum_stakes
from retention.core.planning.plan_comparison import CAME_BACK, Word, came_by, changed_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from decimal import Decimal

    from retention.core.planning.plan_comparison import ComparedGroup
    from retention.ledger.run_record import RunRecord


def comparison_document(
    runs: Sequence[RunRecord],
    groups: Sequence[ComparedGroup],
    settings_then: Mapping[str, Any],
    settings_now: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe how the rounds of earlier runs, the oldest first, stand now. Stakes are in currency units.

    `settings_then`: those of the newest run. `settings_now`: those that a run would have now.
    """
    then = _rounds(groups, {*Word} - {Word.NEW})
    whys: dict[str, dict[str, int]] = {}
    for group in groups:
        if group.why is not None:
            of_word = whys.setdefault(group.word, {})
            of_word[group.why] = of_word.get(group.why, 0) + group.rounds
    return {
        "runs": [
            {
                "run_id": run.run_id,
                "policy": run.policy,
                "mode": run.mode,
                "trigger": run.trigger,
                "status": run.status,
                "as_of": run.as_of,
            }
            for run in runs
        ],
        "rounds_then": then,
        "stakes_then": _stakes(groups, {*Word} - {Word.NEW}),
        "came_back": _rounds(groups, CAME_BACK),
        "came_back_stakes": _stakes(groups, CAME_BACK),
        "came_back_share": round(_rounds(groups, CAME_BACK) / then, 4) if then else None,
        "rounds_now": sum(group.rounds for group in groups if group.planned_now),
        "words": [
            {
                "word": word.value,
                "rounds": _rounds(groups, {word}),
                "planned_now": sum(group.rounds for group in groups if group.word == word and group.planned_now),
                "stakes": _stakes(groups, {word}),
                "why": dict(sorted(whys.get(word, {}).items())),
            }
            for word in Word
        ],
        "stakes_changed_to": _sorted((one.currency_now, one.stake_now) for one in groups),
        "by": {by.value: [one._asdict() for one in came_by(groups, by)] for by in By},
        "groups": [group._asdict() for group in groups],
        "settings": [
            {"key": one.key, "before": one.before, "now": one.now}
            for one in changed_settings(settings_then, settings_now)
        ],
    }


def _rounds(groups: Sequence[ComparedGroup], words: Collection[str]) -> int:
    return sum(group.rounds for group in groups if group.word in words)


def _stakes(groups: Sequence[ComparedGroup], words: Collection[str]) -> dict[str, Decimal]:
    return _sorted((group.currency, group.stake) for group in groups if group.word in words)


def _sorted(stakes: Iterable[tuple[str | None, Decimal | None]]) -> dict[str, Decimal]:
    return dict(sorted(sum_stakes(stakes).items()))
