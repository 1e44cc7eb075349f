"""How are the few pages written that come before anybody is signed in, and that work without JavaScript?

Each is one form on a card. Whatever comes from outside is escaped here and nowhere else.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template

from fastapi.responses import HTMLResponse


@dataclass(frozen=True)
class Field:
    """One labelled box of a form."""

    name: str
    label: str
    kind: str = "text"
    complete: str = "off"
    hint: str = ""
    mode: str = "text"


class Forms:
    """The pages, with the dashboard's own styles, which are at the address ``styles``."""

    def __init__(self, styles: str) -> None:
        self._template = Template(resources.files("dashboard").joinpath("form.html").read_text(encoding="utf-8"))
        self.styles = f'<link rel="stylesheet" href="{html.escape(styles)}">'

    def page(
        self,
        title: str,
        lead: str,
        body: str,
        *,
        error: str = "",
        status: int = 200,
    ) -> HTMLResponse:
        """Write a page; ``body`` is ready HTML made by the functions of this module."""
        text = self._template.substitute(
            title=html.escape(title),
            lead=html.escape(lead),
            styles=self.styles,
            error=alert(error),
            body=body,
        )
        return HTMLResponse(text, status)


def alert(error: str) -> str:
    """Write what went wrong, announced and tied to the fields; nothing where there is nothing."""
    return f'<p class="error" role="alert" id="error">{html.escape(error)}</p>' if error else ""


def status(words: str) -> str:
    """Write what has happened before; nothing where there is nothing."""
    return f'<p role="status">{html.escape(words)}</p>' if words else ""


def form(
    action: str, fields: Sequence[Field], button: str, *, hidden: dict[str, str] | None = None, error: str = ""
) -> str:
    """Write a form; the first field has the focus."""
    kept = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in (hidden or {}).items()
    )
    boxes = "\n".join(_box(field, first=number == 0, error=error) for number, field in enumerate(fields))
    return (
        f'<form method="post" action="{html.escape(action)}">\n{kept}\n{boxes}\n'
        f'<button class="button" type="submit">{html.escape(button)}</button>\n</form>'
    )


def paragraph(text: str) -> str:
    """Write a paragraph."""
    return f"<p>{html.escape(text)}</p>"


def link(href: str, words: str, *, button: bool = False) -> str:
    """Write a link."""
    kind = ' class="button"' if button else ""
    return f'<a{kind} href="{html.escape(href)}">{html.escape(words)}</a>'


def code_list(codes: Sequence[str], label: str) -> str:
    """Write codes one below the other, to be copied or printed."""
    items = "".join(f"<li><code>{html.escape(code)}</code></li>" for code in codes)
    return f'<ul class="codes" aria-label="{html.escape(label)}">{items}</ul>'


def picture(svg: str, label: str) -> str:
    """Put a picture of ours in the page."""
    return f'<div class="qr" role="img" aria-label="{html.escape(label)}">{svg}</div>'


def _box(field: Field, *, first: bool, error: str) -> str:
    described = [f"{field.name}-hint"] if field.hint else []
    described += ["error"] if error else []
    more = f' aria-describedby="{" ".join(described)}"' if described else ""
    more += ' aria-invalid="true"' if error else ""
    more += " autofocus" if first else ""
    hint = f'<span class="hint" id="{field.name}-hint">{html.escape(field.hint)}</span>' if field.hint else ""
    return (
        f'<div class="field"><label for="{field.name}">{html.escape(field.label)}</label>{hint}'
        f'<input id="{field.name}" name="{field.name}" type="{field.kind}" autocomplete="{field.complete}" '
        f'inputmode="{field.mode}" autocapitalize="none" spellcheck="false" maxlength="1000" required{more}></div>'
    )
