"""Matrix -> Plan: one frozen ImagePlan per cell. Nothing else tells build, checks and reports what an image is."""

from rocmimg.engine.context import ContextFile
from rocmimg.plan.make import make_plan
from rocmimg.plan.model import LABEL_CELL, LABEL_DIGEST, LABEL_INPUTS, ImagePlan, Input, Plan, RootfsPlan

__all__ = [
    "LABEL_CELL",
    "LABEL_DIGEST",
    "LABEL_INPUTS",
    "ContextFile",
    "ImagePlan",
    "Input",
    "Plan",
    "RootfsPlan",
    "make_plan",
]
