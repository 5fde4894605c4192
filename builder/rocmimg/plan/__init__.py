"""Matrix -> Plan: one frozen ImagePlan per cell. Nothing else tells build, checks and reports what an image is."""

from typing import TYPE_CHECKING

from rocmimg.lazy import lazily
from rocmimg.plan.recognition import LABEL_CELL, LABEL_DIGEST, LABEL_INPUTS

if TYPE_CHECKING:
    from rocmimg.engine.context import ContextFile
    from rocmimg.plan.make import make_plan
    from rocmimg.plan.model import ImagePlan, Input, Plan, RootfsPlan
    from rocmimg.render.caches import STORE
else:
    __getattr__ = lazily(
        __name__, {"make": ("STORE", "ContextFile", "make_plan"), "model": ("ImagePlan", "Input", "Plan", "RootfsPlan")}
    )

__all__ = [
    "LABEL_CELL",
    "LABEL_DIGEST",
    "LABEL_INPUTS",
    "STORE",
    "ContextFile",
    "ImagePlan",
    "Input",
    "Plan",
    "RootfsPlan",
    "make_plan",
]
