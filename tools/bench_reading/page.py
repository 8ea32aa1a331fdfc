"""The page of the documentation that holds what was measured, between markers."""

from pathlib import Path

from tools.bench_reading.problem import Problem


def check(page: Path, *parts: str) -> None:
    """Before hours of work: whether its results have a place. Raises `Problem`."""
    for part in parts:
        _split(page, part)


def replace_part(page: Path, part: str, text: str) -> None:
    """Put text between `<!-- PART: begin ... -->` and `<!-- PART: end -->` of a page.

    Raises:
        Problem: the page is not there or lacks one of the markers.
    """
    head, tail = _split(page, part)
    page.write_text(f"{head}\n\n{text.strip()}\n\n{tail}", encoding="utf-8")


def _split(page: Path, part: str) -> tuple[str, str]:
    """What stands up to the end of the first marker, and from the second one on."""
    try:
        whole = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{page} cannot be read: {error}") from error
    begin, end = f"<!-- {part}: begin", f"<!-- {part}: end -->"
    before, found, rest = whole.partition(begin)
    note, closed, rest = rest.partition("-->")
    _, ended, after = rest.partition(end)
    if not (found and closed and ended):
        raise Problem(f"{page} needs the lines `{begin} -->` and `{end}`, in this order.")
    return f"{before}{begin}{note}{closed}", f"{ended}{after}"
