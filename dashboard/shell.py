"""What frames every page: the brand, the site filter, whether the page is live, the person, and the way around?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from dashboard import identity, queries, text
from dashboard.permissions import Permission, may
from dashboard.text import accounts, kept, messages
from dashboard.text import audit as audit_text
from dashboard.wording import initials

THEME = {
    "fontFamily": "var(--hw-font)",
    "primaryColor": "homeward",
    "primaryShade": {"light": 7, "dark": 5},
    "defaultRadius": "md",
    "colors": {
        "homeward": [
            "#e6f4f5", "#cfe7e9", "#a3d2d6", "#73bcc2", "#4ba9b1", "#2d8f98", "#157c86", "#0b6770", "#08555d",
            "#04434a",
        ],
    },
    "headings": {"fontFamily": "var(--hw-font)"},
}  # fmt: skip
# address, icon, words, what a person needs for it; one's first page is the first that one may see
CARE = (
    ("/", "triage", text.TRIAGE, Permission.SEE_PATIENTS),
    ("/residents", "residents", text.RESIDENTS, Permission.SEE_PATIENTS),
    ("/handover", "handover", text.HANDOVER, Permission.SEE_PATIENTS),
    ("/enrol", "enrol", accounts.ENROL, Permission.REGISTER_PATIENTS),
    ("/emergency", "emergency", accounts.EMERGENCY_SHORT, Permission.OPEN_IN_EMERGENCY),
)  # fmt: skip
RUNNING = (
    ("/devices", "devices", text.DEVICES, Permission.SEE_DEVICES),
    ("/quarantine", "quarantine", text.QUARANTINE, Permission.SEE_QUARANTINE),
    ("/people", "people", accounts.PEOPLE, Permission.MANAGE_ACCOUNTS),
    ("/sites", "sites", accounts.SITES_TITLE, Permission.MANAGE_SITES),
    ("/audit", "audit", audit_text.AUDIT, Permission.SEE_AUDIT),
    ("/policies", "policies", accounts.POLICIES, Permission.SEE_POLICIES),
    ("/messages", "messages", messages.MESSAGES, Permission.SET_UP_MESSAGES),
    ("/system", "system", text.SYSTEM, Permission.SEE_SYSTEM),
)
# what is done with patients, and what those do who run the place
NAVIGATION = ((text.CARE, CARE), (text.RUNNING_IT, RUNNING))


def icon(name: str) -> Any:
    """An icon beside words, so it says nothing to a screen reader."""
    return html.Span(className=f"icon icon-{name}", **{"aria-hidden": "true"})


def badge(level: int, word: str) -> Any:
    """A severity as shape, word and colour, never as colour alone."""
    return html.Span([icon(f"level-{level}"), word], className=f"badge level-{level}")


def trouble(message: str = text.TROUBLE) -> Any:
    """What stands where something could not be read."""
    return html.Div(message, className="trouble", role="alert")


def scrollable(table: Any, label: str) -> Any:
    """A table that may be wider than the screen: reachable and scrollable by keyboard too."""
    return html.Div(table, className="scroll", tabIndex="0", role="region", **{"aria-label": label})


def long_list(name: str, label: str, columns: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> Any:
    """A list of many rows: data for a grid, because Dash takes half a minute over a thousand cells of its own."""
    return html.Div(
        dag.AgGrid(
            id=name,
            className="hw-grid quiet",
            columnDefs=list(columns),
            rowData=list(found),
            defaultColDef={
                "sortable": False,
                "suppressHeaderMenuButton": True,
                "suppressMovable": True,
                "minWidth": 110,
            },
            columnSize="responsiveSizeToFit",
            dashGridOptions={
                "rowHeight": 40,
                "headerHeight": 38,
                "enableCellTextSelection": True,
                "ensureDomOrder": True,
            },
            style={"height": "100%", "width": "100%"},
        ),
        className="list-box",
        role="region",
        **{"aria-label": label},
    )


def layout() -> Any:
    """The frame around the page; it names nobody, so it is the same for everybody."""
    return dmc.MantineProvider(
        id="provider",
        theme=THEME,
        defaultColorScheme="auto",
        children=[
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="scheme"),
            dcc.Store(id="live-beat", data=0),
            dcc.Store(id="live-patient"),
            html.A(text.SKIP, href="#main", className="skip"),
            html.Div(id="kept-words", hidden=True, **{"data-back": kept.PUT_BACK, "data-rest": kept.NOT_PUT_BACK,
                                                      "data-close": kept.CLOSE}),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(_top()),
                    dmc.AppShellNavbar([html.Nav(id="navigation", className="nav", **{"aria-label": text.NAVIGATION}),
                                        html.Div(text.NOT_A_DEVICE, className="nav-foot")]),
                    dmc.AppShellMain([html.Div(id="lost", className="lost", role="alert", hidden=True,
                                               **{"data-lost": text.LOST}), html.Div(id="page")]),
                ],
                id="shell",
                header={"height": 56},
                navbar={"width": 184, "breakpoint": "md", "collapsed": {"mobile": True}},
                padding=0,
            ),
        ],
    )  # fmt: skip


def _top() -> Any:
    return html.Div(
        [
            dmc.Burger(id="burger", opened=False, hiddenFrom="md", size="sm", **{"aria-label": text.MENU}),
            dcc.Link(
                [
                    html.Span(icon("home"), className="brand-mark"),
                    html.Span(text.BRAND, className="brand-name"),
                ],
                href="/",
                className="brand",
                title=text.BRAND,
            ),
            html.Span(className="top-line"),
            dmc.Select(
                id="site",
                data=[{"value": "", "label": text.ALL_SITES}],
                value="",
                allowDeselect=False,
                searchable=True,
                size="sm",
                className="site-select",
                persistence=True,
                persistence_type="session",
                comboboxProps={"shadow": "md"},
                **{"aria-label": text.SITE},
            ),
            html.Span(className="top-space"),
            html.Div(
                html.Span(text.CONNECTING, className="live-word"),
                id="live",
                className="live",
                role="status",
                **{"data-live": text.LIVE, "data-lost": text.NOT_LIVE_SINCE},
            ),
            dmc.ColorSchemeToggle(
                lightIcon=icon("sun"),
                darkIcon=icon("moon"),
                variant="subtle",
                color="gray",
                size="lg",
                className="theme-toggle",
                **{"aria-label": text.THEME},
            ),
            html.Div(id="person"),
        ],
        className="top",
    )


async def fill_person(_: Any, before: str | None) -> tuple[Any, list[dict[str, str]], Any]:
    """The person's menu, and the sites that they may choose from.

    The tab remembers the choice of whoever was here before; of a site that is none of this person's it would show
    nobody, as if nobody were there.
    """
    person = identity.current()
    sites = [{"value": str(s["site_id"]), "label": s["name"]} for s in await queries.sites()]
    # who works for one site has nothing to choose
    options = sites if len(sites) == 1 else [{"value": "", "label": text.ALL_SITES}, *sites]
    chosen = no_update if before in {option["value"] for option in options} else options[0]["value"]
    return _menu(person), options, options[0]["value"] if len(options) == 1 else chosen


def _menu(person: identity.Person) -> Any:
    return html.Details(
        [
            html.Summary(
                initials(person.name),
                className="person",
                title=person.name,
                **{"aria-label": f"{text.PERSON_MENU}: {person.name}"},
            ),
            html.Div(
                [
                    html.Div(
                        [
                            html.Strong(person.name),
                            html.Span(text.ROLES.get(person.role, person.role), className="muted"),
                        ],
                        className="person-name",
                    ),
                    html.A([icon("account"), accounts.ACCOUNT], href="/account", className="person-act"),
                    html.A([icon("messages"), messages.OWN], href="/account/messages", className="person-act"),
                    html.Button(
                        [icon("sign-out"), text.SIGN_OUT],
                        id="sign-out",
                        type="button",
                        className="person-act",
                        n_clicks=0,
                    ),
                ],
                className="person-box",
            ),
        ],
        className="person-menu",
        **{"data-account": str(person.account_id)},
    )


def first_page(person: identity.Person) -> str:
    """Give the address of the page that a person begins with: who sees no patient has another one than triage."""
    allowed = (href for _, entries in NAVIGATION for href, *_, needed in entries if may(person, needed))
    return next(allowed, "/account")


async def fill_navigation(pathname: str) -> Any:
    """The ways around for this person's role in groups, with the present one marked."""
    person = identity.current()
    here = pathname if pathname not in (None, "/") else first_page(person)
    groups = []
    for number, (heading, entries) in enumerate(NAVIGATION):
        links = [_link(*entry[:3], here) for entry in entries if may(person, entry[3])]
        if links:
            name = f"navigation-{number}"
            groups.append(html.H2(heading, id=name, className="nav-group"))
            groups.append(html.Ul([html.Li(link) for link in links], **{"aria-labelledby": name}))
    return groups


def _link(href: str, name: str, words: str, pathname: str) -> Any:
    """One way; a page below another, such as one patient's, is found under that one."""
    here = pathname.startswith("/patients") or pathname == "/" if href == "/" else pathname.split("/")[1] == href[1:]
    current = {"aria-current": "page"} if here else {}
    return html.A([icon(name), words], href=href, className="nav-link", **current)


def register(app: Dash) -> None:
    """Wire the frame."""
    app.callback(
        Output("person", "children"),
        Output("site", "data"),
        Output("site", "value"),
        Input("provider", "id"),
        State("site", "value"),
    )(fill_person)
    app.callback(Output("navigation", "children"), Input("url", "pathname"))(fill_navigation)
    app.clientside_callback(
        ClientsideFunction("homeward", "toggleNavigation"),
        Output("shell", "navbar"),
        Output("burger", "opened"),
        Input("burger", "opened"),
        Input("url", "pathname"),
        State("shell", "navbar"),
    )
    app.clientside_callback(
        ClientsideFunction("homeward", "signOut"), Output("sign-out", "disabled"), Input("sign-out", "n_clicks"),
        prevent_initial_call=True,
    )  # fmt: skip
    app.clientside_callback(ClientsideFunction("homeward", "scheme"), Output("scheme", "data"), Input("provider", "id"))
