"""The linter has nothing to say against the production images, which are built the way that its rules ask for."""

from datetime import date

from rocmimg.lint.model import Level
from rocmimg.lint.runner import lint


def test_no_production_image_has_an_error_or_a_warning(dockerfiles):
    contents = {f"{cell}.Dockerfile": rendered.text.encode() for cell, rendered in dockerfiles.items()}
    report = lint(contents, arguments={}, today=date(2026, 11, 25), debug=True)
    assert [(f.file, f.rule, f.line) for f in report.findings if f.level is not Level.NOTE] == []
    assert len(report.files) == len(dockerfiles) > 0
