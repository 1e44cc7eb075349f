"""Does everything of ours reach a page, in order, and do the icons come along?"""

import re
from urllib.parse import unquote

from dashboard import bundles
from dashboard.dash_server import ASSETS


def test_every_sheet_and_script_is_in_it_in_the_order_of_names() -> None:
    for bundle, kind in ((bundles.styles(ASSETS), "css"), (bundles.scripts(ASSETS), "js")):
        text = bundle.body.decode()
        files = [f for f in sorted(ASSETS.glob(f"*.{kind}")) if "plotly" not in f.name]
        written = [f.read_text(encoding="utf-8") for f in files]
        assert len(files) > 10
        if kind == "js":
            assert not [f.name for f, body in zip(files, written, strict=True) if "`" in body]  # see bundles._REMARK
            written = [re.sub(r"^ *//.*\n", "", body, flags=re.MULTILINE) for body in written]
        places = [text.index(body) for body in written if "icons/" not in body]
        assert len(places) > 8
        assert places == sorted(places)


def test_every_icon_is_inside_and_says_the_same() -> None:
    text = bundles.styles(ASSETS).body.decode()
    assert "icons/" not in text
    named = {icon for sheet in ASSETS.glob("*.css") for icon in re.findall(r"icons/([a-z-]+\.svg)", sheet.read_text())}
    inside = {unquote(found) for found in re.findall(r'url\("data:image/svg\+xml,([^"]+)"\)', text)}
    assert inside == {(ASSETS / "icons" / icon).read_text(encoding="utf-8") for icon in named}
    assert not [found for found in re.findall(r'url\("data:([^"]+)"\)', text) if "#" in found]


def test_its_address_changes_with_what_is_in_it() -> None:
    one, other = (bundles.Bundle("/assets/all.css", "text/css", body) for body in (b"a { }", b"b { }"))
    assert one.address != other.address
    assert one.address.startswith("/assets/all.css?m=")
