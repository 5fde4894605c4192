from __future__ import annotations

import json
from typing import Final

from rocmimg.checks import Image, check, fail, not_applicable, not_run
from rocmimg.checks.backend import CommandStopped
from rocmimg.contract.probe import PROGRAM, compare, not_told, read_answers

_LIMIT_S: Final = 600.0
"""AITER's first import compiles a module."""
_SHOWN: Final = 5


@check("contract", tier="import")
def check_contract(image: Image) -> None:
    """The names that the framework uses are in the image as the sources at the pins say."""
    image.need_plan()
    if image.no_contract:
        not_run(image.no_contract)
    if not image.contract:
        not_applicable("no component is a framework that uses another one's names")
    unanswered: list[str] = []
    for names in image.contract:
        question = json.dumps(names.wanted).encode()
        why = ""
        try:
            done = image.host(timeout=_LIMIT_S, stdin=question).run("%s -c %s", image.expect.python, PROGRAM)
            why = done.stderr.strip()[-300:]
            answers = read_answers(done.stdout_bytes)
        except CommandStopped as stopped:
            unanswered.append(f"{names.package}: the image gave no answer: it {stopped.reason}")
            continue
        except ValueError:
            unanswered.append(f"{names.package}: the image gave no answer: {why}")
            continue
        if differences := compare(names.expected, answers):
            image.note(differences=[str(one) for one in differences])
            more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            fail(
                f"{'; '.join(map(str, differences[:_SHOWN]))}{more}",
                cause=f"the image holds another {names.package} than its pin, or its build left something out",
                fix="compare the checkout in the image with the pin; `rocmimg test --json` lists every name",
            )
        whys = sorted(set(not_told(answers).values()))
        unanswered += [f"{len(answers)} names of {names.package}: {why}" for why in whys]
    if unanswered:
        not_run("; ".join(unanswered))
