"""How does a signed handover look as text and as a PDF: the same lines in the same order, readable without colour?"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import HRFlowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer

from dashboard import text
from dashboard.handover import moment
from dashboard.text import handover as words

Row = dict[str, Any]
FONTS = Path(__file__).parent / "assets" / "fonts"
REGULAR, STRONG = "Homeward-Inter", "Homeward-Inter-SemiBold"
GREY = "#444444"


@dataclass(frozen=True)
class Part:
    """A heading and the lines below it."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """What is on paper: a title, whom it is about, the parts, and who signed."""

    title: str
    about: tuple[str, ...]
    parts: tuple[Part, ...]
    foot: tuple[str, ...]
    author: str


def of_patient(row: Row) -> Document:
    """Lay out a signed SBARD handover."""
    facts, sections = row["facts"], row["sections"]
    zone = facts["time_zone"]
    number = f"NHS {facts['nhs_number']}" if facts["nhs_number"] else text.NO_NHS_NUMBER
    born = datetime.fromisoformat(facts["born_on"])
    parts = [
        Part(title, tuple((sections.get(name) or words.NOT_FILLED).splitlines()))
        for name, title in words.SECTIONS.items()
    ]
    changed = facts["recommended"] != sections["recommendation"]
    foot = [words.version_of(row["number"], row["version"]) + ("" if row["counts"] else f" ({words.SUPERSEDED})")]
    if changed:
        foot.append(
            f"{words.SECTIONS['recommendation']}. {words.POLICY_SAYS}: {' '.join(facts['recommended'].split())}"
        )
    return Document(
        words.TITLE,
        (facts["name"], f"{number}. Born {born.day} {born:%b %Y}. {facts['place']}."),
        tuple(parts),
        (*foot, signature(row, zone), words.NOT_A_DEVICE),
        row["signed_name"],
    )


def of_shift(row: Row) -> Document:
    """Lay out a signed shift handover."""
    told, zone = row["document"], row["document"]["time_zone"]
    span = f"{moment(row['since'], zone)} to {moment(row['until'], zone)} ({zone})"
    parts = []
    for group, heading in words.GROUPS.items():
        mine = [e for e in told["entries"] if e["group"] == group]
        if mine:
            parts.append(Part(heading, tuple(line for e in mine for line in _entry_lines(e))))
    parts.append(Part(words.REST, (words.rest(told["rest"]),)))
    if told["general"]:
        parts.append(Part(words.GENERAL, tuple(told["general"].splitlines())))
    name = words.shift_version(row["number"], row["version"])
    foot = (name if row["counts"] else f"{name} ({words.SUPERSEDED})", signature(row, zone), words.NOT_A_DEVICE)
    return Document(words.SHIFT, (told["site"], span), tuple(parts), foot, row["signed_name"])


def _entry_lines(entry: Row) -> list[str]:
    """A patient's lines: whom it is about first, then what happened, then the note of whoever signed."""
    who = f"{entry['place']}, {entry['name']}" if entry["place"] else entry["name"]
    marks = f" ({', '.join(entry['marks'])})" if entry["marks"] else ""
    note = [f"   {words.NOTE}: {line}" for line in entry["note"].splitlines() if line]
    return [f"{who[:1].upper()}{who[1:]}{marks}", *(f"   {line}" for line in entry["lines"]), *note]


def signature(row: Row, zone: str) -> str:
    """Say who signed, in which role and when, in the site's zone."""
    at = f"{moment(row['signed_at'], zone)} ({zone})"
    role = text.ROLES.get(row["signed_role"]) or str(row["signed_role"])
    return words.signature(row["signed_name"], role.lower(), at)


def as_text(document: Document) -> str:
    """Write it as plain text, for an e-mail or another record."""
    lines = [document.title.upper(), *document.about, ""]
    for part in document.parts:
        lines += [part.heading.upper(), *part.lines, ""]
    return "\n".join([*lines, "-" * 20, *document.foot, ""])


def as_pdf(document: Document) -> bytes:
    """Write it as an A4 PDF with bookmarks, title, author and language; black and grey on white."""
    _register_fonts()
    out = io.BytesIO()
    page = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=18 * mm,
        bottomMargin=20 * mm,
        title=f"{document.title}: {document.about[0]}",
        author=document.author,
        subject=document.title,
        creator="Homeward",
        lang="en-GB",
    )
    story: list[Any] = [
        _Marked(document.title, 0, _style(20, strong=True, after=4)),
        *(_paragraph(line, 11, strong=i == 0) for i, line in enumerate(document.about)),
        HRFlowable(width="100%", thickness=1, color="black", spaceBefore=6, spaceAfter=4),
    ]
    for part in document.parts:
        first = _paragraph(part.lines[0], 10.5) if part.lines else Spacer(1, 1)
        story.append(KeepTogether([_Marked(part.heading, 1, _style(13, strong=True, before=8, after=2)), first]))
        story += [_paragraph(line, 10.5) for line in part.lines[1:]]
    story.append(HRFlowable(width="100%", thickness=0.5, color=GREY, spaceBefore=12, spaceAfter=4))
    story.append(KeepTogether([_paragraph(line, 9.5, strong=line.startswith("Signed")) for line in document.foot]))
    page.build(story, onFirstPage=_number(document), onLaterPages=_number(document))
    return out.getvalue()


@cache
def _register_fonts() -> None:
    for name, file in ((REGULAR, "Inter-Regular.ttf"), (STRONG, "Inter-SemiBold.ttf")):
        pdfmetrics.registerFont(TTFont(name, FONTS / file))


def _style(size: float, *, strong: bool = False, before: float = 0, after: float = 1.5) -> ParagraphStyle:
    return ParagraphStyle(
        f"{size}-{strong}-{before}-{after}",
        fontName=STRONG if strong else REGULAR,
        fontSize=size,
        leading=size * 1.38,
        spaceBefore=before,
        spaceAfter=after,
        splitLongWords=True,
    )


def _paragraph(line: str, size: float, *, strong: bool = False) -> Paragraph:
    # what people typed is text and never mark-up; three blanks before a line set it in
    style = _style(size, strong=strong)
    if line.startswith("   "):
        style = ParagraphStyle(f"{style.name}-in", parent=style, leftIndent=5 * mm)
    return Paragraph(escape(line.strip()) or "&nbsp;", style)


class _Marked(Paragraph):  # type: ignore[misc]
    """A heading that is a bookmark as well, so that readers of all kinds find their way."""

    def __init__(self, heading: str, level: int, style: ParagraphStyle) -> None:
        super().__init__(escape(heading), style)
        self._heading, self._level = heading, level

    def draw(self) -> None:
        key = f"{self._level}-{self._heading}"
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(self._heading, key, self._level, closed=False)
        super().draw()


def _number(document: Document) -> Any:
    def draw(canvas: Canvas, _: SimpleDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont(REGULAR, 8.5)
        canvas.setFillColor(GREY)
        canvas.drawString(20 * mm, 12 * mm, f"{document.title}. {document.about[0]}")
        canvas.drawRightString(A4[0] - 20 * mm, 12 * mm, f"Page {canvas.getPageNumber()}")
        canvas.restoreState()

    return draw
