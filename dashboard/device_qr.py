"""How is what a hub needs shown as a code that it can scan?"""

from __future__ import annotations

from io import BytesIO

import segno

from schemas.credentials import Credentials


def qr_svg(credentials: Credentials) -> str | None:
    """Draw the QR code as SVG, black on white in both colour schemes; None where the credentials do not fit one."""
    text = credentials.qr_text()
    if text is None:
        return None
    out = BytesIO()
    segno.make(text, error="m").save(out, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False)
    return out.getvalue().decode()
