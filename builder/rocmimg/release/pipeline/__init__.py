"""The plan as a pipeline: check, build in the order of bases, test on GPU machines, promote."""

from rocmimg.release.pipeline.model import Pipeline, make_pipeline
from rocmimg.release.pipeline.write import FORMS, write

__all__ = ["FORMS", "Pipeline", "make_pipeline", "write"]
