"""Licences of datasets, as their folders state them."""

from pathlib import Path

FILE = "LICENSE.md"
STATED = ("licence", "license", "attribution")


def stated(folder: Path) -> str | None:
    """Title, licence and attribution of a folder's LICENSE.md, for the model card.

    Takes the paragraphs that begin with those words, as one line. None where there is no file.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    lines = [line.strip() for line in file.read_text("utf-8", "replace").splitlines()]
    title = next((line.lstrip("# ") for line in lines if line.startswith("#")), folder.name)
    rows: list[str] = []
    wanted = False
    for line in lines:
        begins = line.lower().startswith(STATED)
        wanted = bool(line) and (wanted or begins) and not line.startswith("#")
        if wanted:
            rows.append(line)
    terms = " ".join(rows).replace("|", "/") or f"see {FILE}"
    return f"{title}. {terms}"
