"""Does everything of ours reach a page, in order, and do the icons come along?"""

import re
from urllib.parse import unquote

from dashboard import bundles
from dashboard.dash_server import ASSETS


def test_every_sheet_and_script_is_in_it_in_the_order_of_names() -> None:
    for bundle, kind in ((bundles.styles(ASSETS), "css"), (bundles.scripts(ASSETS), "js")):
        text = bundle.body.decode()
        files = [f for f in sorted(ASSETS.glob(f"*.{kind}")) if "plotly" not in f.name]
        places = [text.index(f.read_text(encoding="utf-8").splitlines()[0]) for f in files]
        assert len(places) > 10
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
