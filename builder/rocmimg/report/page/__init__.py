"""One page for a run of build, test, status or plan: one file, nothing fetched, no script."""

from rocmimg.report.page.model import Head, Run
from rocmimg.report.page.write import write_page

__all__ = ["Head", "Run", "write_page"]
